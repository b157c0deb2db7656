//! What functions do and use up, by function and version.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pawl_core::limits;
use pawl_runtime::Used;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::rotations::StepBuckets;

type Labels = [(&'static str, String); 2];

/// What more than there is room for is counted as.
const OTHER: &str = "other";

/// Words that may be labels: the first so many that are met, so that whoever uploads functions cannot fill the memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounded<T>(Arc<Mutex<BTreeSet<T>>>);

impl<T: Ord> Bounded<T> {
    /// Whether this one has a series of its own.
    pub(super) fn has(&self, label: T) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&label) || (known.len() < limits::FUNCTION_SERIES_MAX && known.insert(label))
    }
}

impl Bounded<String> {
    /// The label for a word.
    pub(super) fn label(&self, word: &str) -> String {
        if self.has(word.to_owned()) { word.to_owned() } else { OTHER.to_owned() }
    }
}

/// The functions that this host has run.
#[derive(Clone)]
pub(crate) struct Functions {
    known: Bounded<(String, String)>,
    invocations: Family<Labels, Counter>,
    errors: Family<Labels, Counter>,
    throttles: Family<Labels, Counter>,
    took: Family<Labels, Histogram, StepBuckets>,
    memory: Family<Labels, Gauge>,
    fuel: Family<Labels, Counter>,
    reveals: Family<Labels, Counter>,
}

impl Functions {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let functions = Self {
            known: Bounded::default(),
            invocations: Family::default(),
            errors: Family::default(),
            throttles: Family::default(),
            took: Family::new_with_constructor(StepBuckets),
            memory: Family::default(),
            fuel: Family::default(),
            reveals: Family::default(),
        };
        let help = "Steps that functions were given to run, by rotations and by Invoke";
        registry.register("pawl_function_invocations", help, functions.invocations.clone());
        registry.register("pawl_function_errors", "Those that did not end well", functions.errors.clone());
        let help = "Steps that were put off because as many ran as are reserved for the function";
        registry.register("pawl_function_throttles", help, functions.throttles.clone());
        let help = "How long functions ran, the wait for a worker included";
        registry.register_with_unit("pawl_function_duration", help, Unit::Seconds, functions.took.clone());
        let help = "Most memory that one run of the function has used since this host began";
        registry.register_with_unit("pawl_function_memory_peak", help, Unit::Bytes, functions.memory.clone());
        let help = "Fuel that functions have used: roughly WebAssembly instructions";
        registry.register("pawl_function_fuel", help, functions.fuel.clone());
        let help = "Sensitive values that functions were shown, which only those with the grant `reveal` are";
        registry.register("pawl_function_reveals", help, functions.reveals.clone());
        functions
    }

    /// A step has run, in which the function was shown so many sensitive values.
    pub(crate) fn ran(
        &self,
        (function, version): (&str, &str),
        is_good: bool,
        took: Duration,
        (used, reveals): (Used, u32),
    ) {
        let labels = self.labels(function, version);
        self.invocations.get_or_create(&labels).inc();
        // There from the beginning, so that the first error is an increase.
        self.errors.get_or_create(&labels).inc_by(u64::from(!is_good));
        self.took.get_or_create(&labels).observe(took.as_secs_f64());
        self.fuel.get_or_create(&labels).inc_by(used.fuel);
        self.reveals.get_or_create(&labels).inc_by(u64::from(reveals));
        let peak = i64::try_from(used.memory_bytes).unwrap_or(i64::MAX);
        let memory = self.memory.get_or_create(&labels);
        // Two at once may leave the lesser of two peaks; the next one mends it.
        if memory.get() < peak {
            memory.set(peak);
        }
    }

    /// A step was put off.
    pub(crate) fn throttled(&self, function: &str, version: &str) {
        self.throttles.get_or_create(&self.labels(function, version)).inc();
    }

    fn labels(&self, function: &str, version: &str) -> Labels {
        let known = self.known.has((function.to_owned(), version.to_owned()));
        let label = |text: &str| if known { text.to_owned() } else { OTHER.to_owned() };
        [("function", label(function)), ("version", label(version))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_bounded_and_the_rest_is_counted_together() {
        let mut registry = Registry::default();
        let functions = Functions::registered(&mut registry);
        let used = Used { memory_bytes: 7, fuel: 3 };
        for n in 0..limits::FUNCTION_SERIES_MAX + 5 {
            functions.ran((&format!("f{n}"), "$LATEST"), n % 2 == 0, Duration::from_millis(3), (used, 0));
        }
        functions.ran(
            ("f0", "$LATEST"),
            false,
            Duration::from_millis(3),
            (Used { memory_bytes: 5, ..used }, 2),
        );
        functions.throttled("f0", "$LATEST");
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        let of = |name: &str| page.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(of("pawl_function_invocations_total"), limits::FUNCTION_SERIES_MAX + 1);
        for line in [
            "pawl_function_invocations_total{function=\"other\",version=\"other\"} 5",
            "pawl_function_errors_total{function=\"f0\",version=\"$LATEST\"} 1",
            "pawl_function_memory_peak_bytes{function=\"f0\",version=\"$LATEST\"} 7",
            "pawl_function_fuel_total{function=\"f0\",version=\"$LATEST\"} 6",
            "pawl_function_reveals_total{function=\"f0\",version=\"$LATEST\"} 2",
            "pawl_function_reveals_total{function=\"f1\",version=\"$LATEST\"} 0",
            "pawl_function_throttles_total{function=\"f0\",version=\"$LATEST\"} 1",
            "pawl_function_duration_seconds_count{function=\"f0\",version=\"$LATEST\"} 2",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
