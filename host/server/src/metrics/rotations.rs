//! Rotations and their steps, by the function that runs them.

use std::time::Duration;

use pawl_core::rotation::{Outcome, Rotation, Status, Step};
use pawl_store::{RotationState, RotationStates};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::functions::Bounded;

type Labels<const N: usize> = [(&'static str, String); N];

/// What a function is called that could not be had.
pub(crate) const UNKNOWN: &str = "unknown";

/// The rotations that this host works on.
#[derive(Clone)]
pub(crate) struct Rotations {
    running: Gauge,
    ended: Family<Labels<2>, Counter>,
    steps: Family<Labels<3>, Counter>,
    took: Family<Labels<2>, Histogram, StepBuckets>,
    lost: Counter,
    not_begun: Counter,
    /// Functions that have series of their own.
    known: Bounded<String>,
}

/// A step may wait for a worker and a compilation, so seconds rather than milliseconds.
#[derive(Clone)]
pub(super) struct StepBuckets;

impl MetricConstructor<Histogram> for StepBuckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(pawl_core::limits::STEP_SECONDS_BUCKETS.iter().map(Duration::as_secs_f64))
    }
}

impl Rotations {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let rotations = Self {
            running: Gauge::default(),
            ended: Family::default(),
            steps: Family::default(),
            took: Family::new_with_constructor(StepBuckets),
            lost: Counter::default(),
            not_begun: Counter::default(),
            known: Bounded::default(),
        };
        registry.register(
            "pawl_rotations_running",
            "Rotations that this host works on",
            rotations.running.clone(),
        );
        registry.register("pawl_rotations_ended", "Rotations by how they ended", rotations.ended.clone());
        registry.register("pawl_rotation_steps", "Steps by how they ended", rotations.steps.clone());
        let help = "How long steps took, the wait for a worker included";
        registry.register_with_unit(
            "pawl_rotation_step_duration",
            help,
            Unit::Seconds,
            rotations.took.clone(),
        );
        let help = "Rotations that another host took over while this one worked on them";
        registry.register("pawl_leases_lost", help, rotations.lost.clone());
        let help = "Turns of schedules that came to nothing, because the function was missing or refused";
        registry.register("pawl_rotations_not_begun", help, rotations.not_begun.clone());
        rotations
    }

    /// A rotation is worked on until what this gives is dropped.
    pub(crate) fn begin(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    /// A rotation was taken over by another host, or its secret is gone.
    pub(crate) fn lease_was_lost(&self) {
        self.lost.inc();
    }

    /// A schedule's turn came to nothing.
    pub(crate) fn did_not_begin(&self) {
        self.not_begun.inc();
    }

    /// A step of the function of this name has ended.
    pub(crate) fn step_ended(&self, function: &str, step: Step, outcome: &Outcome, took: Duration) {
        let function = self.known.label(function);
        let outcome = match outcome {
            Outcome::Done => "done",
            Outcome::Transient(_) => "transient",
            Outcome::Permanent(_) => "permanent",
            Outcome::Superseded => "superseded",
        };
        let labels = [("function", function), ("step", step.name().to_owned())];
        self.took.get_or_create(&labels).observe(took.as_secs_f64());
        let [function, step] = labels;
        self.steps.get_or_create(&[function, step, ("outcome", outcome.to_owned())]).inc();
    }

    /// A rotation by the function of this name has ended.
    pub(crate) fn ended(&self, function: &str, rotation: &Rotation) {
        let status = match rotation.status {
            Status::Running { .. } => return,
            Status::Succeeded => "succeeded",
            Status::Failed { .. } => "failed",
            Status::Stranded { .. } => "stranded",
            Status::Cancelled => "cancelled",
            Status::Abandoned => "abandoned",
        };
        let labels = [("function", self.known.label(function)), ("status", status.to_owned())];
        self.ended.get_or_create(&labels).inc();
    }
}

/// How many secrets' rotations stand how, in the whole store: every host of it says the same.
pub(super) fn show_states(registry: &mut Registry, states: &RotationStates) {
    let family: Family<[(&'static str, &'static str); 1], Gauge> = Family::default();
    for state in RotationState::ALL {
        let secrets = i64::try_from(states.of(state)).unwrap_or(i64::MAX);
        family.get_or_create(&[("state", state.as_str())]).set(secrets);
    }
    let help = "Secrets of the whole store by how their rotation stands, where somebody may want to know";
    registry.register("pawl_rotation_states", help, family);
}

/// A rotation that is worked on.
pub(crate) struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}
