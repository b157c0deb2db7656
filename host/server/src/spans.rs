//! The spans of a host's work: what log lines are bound to, and what traces are made of.
//!
//! They name operations, steps, outcomes and ids of requests. No secret's name or ARN is in any of them, because traces leave
//! the machine; the lines that are logged inside of them may name secrets, and stay.

use std::time::Duration;

use pawl_api::Target;
use pawl_core::rotation::{Outcome, Rotation, Step};
use pawl_store::Claim;
use tracing::Span;
use tracing::field::Empty;

use crate::identity::Caller;
use crate::metrics::Answered;

/// The target of every span that may leave the machine; nothing else has it.
pub const TARGET: &str = "pawl_server::spans";
/// The target for which a collector asks when it wants to know how requests ended. Nothing is recorded for nobody: every record
/// is written into the span's text as well, and reads come by the ten thousand a second.
pub const RECORDED: &str = "pawl_server::recorded";
/// The target of the line that is logged for every request, at the level of debugging.
pub const ACCESS: &str = "pawl_server::access";

/// The operation that comes by the ten thousand a second.
const FREQUENT: &str = "GetSecretValue";

// Spans have the level of errors, so that lines of every level carry them unless nothing at all is logged.

/// One request, from its headers to its answer. None for reads of values, unless somebody collects spans or wants a line for
/// every request: a span costs a tenth of such a read, and the line that says that one failed has the request's id by itself.
pub(crate) fn request(target: Option<Target>, request_id: &str) -> Span {
    let operation = target.map_or("unknown", Target::name);
    if operation == FREQUENT && !recorded() && !tracing::enabled!(target: ACCESS, tracing::Level::DEBUG) {
        return Span::none();
    }
    tracing::error_span!(
        target: TARGET,
        "request",
        request.id = request_id,
        operation,
        region = Empty,
        client.certificate = Empty,
        code = Empty,
        status = Empty,
    )
}

/// Notes what a signature has proved about the request at hand.
pub(crate) fn request_signed(caller: &Caller) {
    if recorded() {
        Span::current().record("region", caller.region.as_str());
    }
    // Only where clients must have certificates.
    if let Some(shown) = &caller.certificate {
        Span::current().record("client.certificate", shown.subject.as_deref().unwrap_or(&shown.sha256));
    }
}

/// Notes how a request ended, and logs it.
pub(crate) fn request_ended(span: &Span, answered: Answered, status: u16, took: Duration) {
    let code = answered.code();
    span.in_scope(|| tracing::debug!(target: ACCESS, status, code, ?took, "answered"));
    if recorded() {
        span.record("code", code).record("status", status);
    }
}

/// Whether anybody wants to know.
fn recorded() -> bool {
    tracing::enabled!(target: RECORDED, tracing::Level::TRACE)
}

/// What a host does for one claim of a rotation.
pub(crate) fn rotation(claim: &Claim) -> Span {
    let (region, epoch) = (claim.region.as_str(), claim.epoch);
    tracing::error_span!(target: TARGET, parent: None, "rotation", region, lease.epoch = epoch)
}

/// One step of a rotation. The request's id is the rotation's token.
pub(crate) fn step(rotation: &Rotation, step: Step) -> Span {
    tracing::error_span!(
        target: TARGET,
        "rotation.step",
        rotation.step = step.name(),
        request.id = %rotation.token,
        outcome = Empty,
    )
}

/// Notes how a step ended: not the reason, which may name users and hosts.
pub(crate) fn step_ended(span: &Span, outcome: &Outcome) {
    let word = match outcome {
        Outcome::Done => "done",
        Outcome::Transient(_) => "transient",
        Outcome::Permanent(_) => "permanent",
        Outcome::Superseded => "superseded",
    };
    span.record("outcome", word);
}

/// One commit of the store.
pub(crate) fn commit(changes: usize) -> Span {
    tracing::error_span!(target: TARGET, "store.commit", changes)
}
