//! Requests by operation and outcome.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pawl_api::error::ErrorCode;
use pawl_api::{Target, iam, kms, lambda, pawl, secrets_manager, sts};
use pawl_core::limits;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::histogram::Histogram;

/// The label of what no operation's name was given for.
const UNKNOWN: &str = "unknown";

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The caller hung up before there was an answer.
    #[default]
    Never,
    /// Well.
    Ok,
    /// With an error of AWS's.
    Error(ErrorCode),
}

impl Answered {
    /// The label: AWS's code, or what stands in its place.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Never => "hung-up",
            Self::Ok => "OK",
            Self::Error(code) => code.as_str(),
        }
    }

    /// The HTTP status; 499, as proxies have it, for what was never sent.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Never => 499,
            Self::Ok => 200,
            Self::Error(code) => code.status(),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        [Self::Never, Self::Ok].into_iter().chain(ErrorCode::ALL.iter().copied().map(Self::Error))
    }

    /// Its place in [`Answered::all`].
    const fn place(self) -> usize {
        match self {
            Self::Never => 0,
            Self::Ok => 1,
            Self::Error(code) => 2 + code as usize,
        }
    }
}

/// The requests of a host.
#[derive(Debug)]
pub(super) struct Requests {
    in_flight: AtomicI64,
    /// In the order of [`place`].
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct Operation {
    /// Two services may have operations of one name.
    service: &'static str,
    name: &'static str,
    took: Histogram,
    /// In the order of [`Answered::all`].
    answered: Box<[AtomicU64]>,
}

impl Operation {
    fn new((service, name): (&'static str, &'static str)) -> Self {
        let answered = Answered::all().map(|_| AtomicU64::new(0)).collect();
        Self { service, name, took: Histogram::new(limits::REQUEST_SECONDS_BUCKETS), answered }
    }
}

/// The place of an operation's figures; what names none comes last.
const fn place(target: Option<Target>) -> usize {
    let secrets_manager = secrets_manager::Operation::ALL.len();
    let pawl = secrets_manager + pawl::Operation::ALL.len();
    let lambda = pawl + lambda::Operation::ALL.len();
    let iam = lambda + iam::Operation::ALL.len();
    let sts = iam + sts::Operation::ALL.len();
    match target {
        Some(Target::SecretsManager(operation)) => operation as usize,
        Some(Target::Pawl(operation)) => secrets_manager + operation as usize,
        Some(Target::Lambda(operation)) => pawl + operation as usize,
        Some(Target::Iam(operation)) => lambda + operation as usize,
        Some(Target::Sts(operation)) => iam + operation as usize,
        Some(Target::Kms(operation)) => sts + operation as usize,
        None => sts + kms::Operation::ALL.len(),
    }
}

/// Every target, in the order of [`place`].
fn targets() -> impl Iterator<Item = Target> {
    let secrets_manager = secrets_manager::Operation::ALL.iter().copied().map(Target::SecretsManager);
    let pawl = pawl::Operation::ALL.iter().copied().map(Target::Pawl);
    let lambda = lambda::Operation::ALL.iter().copied().map(Target::Lambda);
    let iam = iam::Operation::ALL.iter().copied().map(Target::Iam);
    let sts = sts::Operation::ALL.iter().copied().map(Target::Sts);
    let kms = kms::Operation::ALL.iter().copied().map(Target::Kms);
    secrets_manager.chain(pawl).chain(lambda).chain(iam).chain(sts).chain(kms)
}

impl Default for Requests {
    fn default() -> Self {
        let names = targets().map(|target| (target.signing_name(), target.name()));
        let operations = names.chain([(UNKNOWN, UNKNOWN)]).map(Operation::new).collect();
        Self { in_flight: AtomicI64::new(0), operations }
    }
}

impl Requests {
    fn ended(&self, target: Option<Target>, answered: Answered, took: Duration) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let Some(operation) = self.operations.get(place(target)) else { return };
        operation.took.observe(took);
        if let Some(count) = operation.answered.get(answered.place()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let in_flight = ConstGauge::new(self.in_flight.load(Ordering::Relaxed));
        let (name, help) = ("pawl_requests_in_flight", "Requests that are being answered.");
        in_flight.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;

        let (name, help) = ("pawl_requests", "Requests by operation and AWS's error code.");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for operation in &self.operations {
            for (code, count) in Answered::all().zip(&operation.answered) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [
                        ("service", operation.service),
                        ("operation", operation.name),
                        ("code", code.code()),
                    ];
                    ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
                }
            }
        }

        let (name, help) =
            ("pawl_request_duration", "How long requests took, from their headers to their answer.");
        let mut family =
            encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for operation in self.operations.iter().filter(|operation| !operation.took.is_empty()) {
            let labels = [("service", operation.service), ("operation", operation.name)];
            operation.took.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// One request that is being answered.
pub(crate) struct InFlight {
    requests: Arc<Requests>,
    began: Instant,
    target: Option<Target>,
    answered: Answered,
}

impl InFlight {
    pub(super) fn begin(requests: Arc<Requests>) -> Self {
        requests.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { requests, began: Instant::now(), target: None, answered: Answered::Never }
    }

    /// What it asks for.
    pub(crate) const fn is_for(&mut self, target: Option<Target>) {
        self.target = target;
    }

    /// There is an answer to it.
    pub(crate) const fn answered(&mut self, answered: Answered) {
        self.answered = answered;
    }

    /// How long it takes so far.
    pub(crate) fn took(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.requests.ended(self.target, self.answered, self.began.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    fn page(requests: &Arc<Requests>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(requests.clone()));
        let mut page = String::new();
        encode(&mut page, &registry).unwrap();
        page
    }

    #[test]
    fn every_operation_and_every_code_has_a_place_of_its_own() {
        let requests = Requests::default();
        for target in targets() {
            let operation = &requests.operations[place(Some(target))];
            assert_eq!((operation.service, operation.name), (target.signing_name(), target.name()));
        }
        assert_eq!(requests.operations[place(None)].name, UNKNOWN);
        assert!(Answered::all().enumerate().all(|(place, answered)| answered.place() == place));
    }

    #[test]
    fn a_request_that_nobody_waits_for_is_counted_too() {
        let requests = Arc::new(Requests::default());
        let mut first = InFlight::begin(requests.clone());
        first.is_for(Some(Target::SecretsManager(secrets_manager::Operation::GetSecretValue)));
        let mut second = InFlight::begin(requests.clone());
        second.answered(Answered::Error(ErrorCode::InvalidSignatureException));
        assert!(page(&requests).contains("pawl_requests_in_flight 2\n"));
        drop((first, second));
        let page = page(&requests);
        for line in [
            "pawl_requests_in_flight 0\n",
            "pawl_requests_total{service=\"secretsmanager\",operation=\"GetSecretValue\",code=\"hung-up\"} 1\n",
            "pawl_requests_total{service=\"unknown\",operation=\"unknown\",code=\"InvalidSignatureException\"} 1\n",
            "pawl_request_duration_seconds_count{service=\"secretsmanager\",operation=\"GetSecretValue\"} 1\n",
        ] {
            assert!(page.contains(line), "{page}");
        }
        assert!(!page.contains("ListSecrets"), "what did not happen takes no line");
    }
}
