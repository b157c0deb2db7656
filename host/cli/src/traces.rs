//! Traces for an OpenTelemetry collector: OTLP over HTTP, sent to nobody unless an endpoint is named.
//!
//! Only the spans of `pawl_server::spans` leave the machine; no log line does. They wait in a queue of a bounded length, and a
//! thread of its own sends them: a collector that is down or slow costs spans and nothing else.

use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::{SpanKind, Status, TracerProvider as _};
use opentelemetry::{KeyValue, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use pawl_core::limits;
use pawl_server::spans;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Where OTLP over HTTP has its traces.
const PATH: &str = "/v1/traces";
const SERVICE: &str = "pawl";

/// A collector's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(Uri);

/// Why a text is no collector's address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be http://HOST:PORT or https://HOST:PORT, without a user's name")]
pub(crate) struct NotAnEndpoint;

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let uri: Uri = text.parse().map_err(|_| NotAnEndpoint)?;
        let authority = uri.authority().ok_or(NotAnEndpoint)?;
        let plain = matches!(uri.scheme_str(), Some("http" | "https"))
            && !authority.as_str().contains('@')
            && uri.query().is_none();
        if !plain {
            return Err(NotAnEndpoint);
        }
        // The collector's own address, as every exporter's setting has it, or the whole one.
        let base = text.trim_end_matches('/');
        let whole = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
        whole.parse().map(Self).map_err(|_| NotAnEndpoint)
    }
}

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be set up: {0}")]
pub(crate) struct TracesError(#[from] opentelemetry_otlp::ExporterBuildError);

/// What sends traces until it is ended.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends them to `endpoint`. Nothing is sent yet, and nobody is asked whether the collector is there.
    pub(crate) fn to(endpoint: &Endpoint) -> Result<Self, TracesError> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::at(endpoint))
            .with_endpoint(endpoint.0.to_string())
            .with_timeout(limits::TRACES_SEND_TIMEOUT)
            .build()?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name(SERVICE).with_attribute(version).build();
        let provider =
            SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(Named(exporter)).build();
        Ok(Self(provider))
    }

    /// What takes the spans from the process.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        // Events would be log lines, which may name secrets.
        let leaves = filter_fn(|metadata| match metadata.target() {
            spans::TARGET => metadata.is_span(),
            target => target == spans::RECORDED,
        });
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(leaves)
    }

    /// Sends what is left, for a moment.
    pub(crate) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(limits::TRACES_END_TIMEOUT) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Gives spans the names and the status that they have in a trace, from what is recorded in them.
#[derive(Debug)]
struct Named<T>(T);

impl<T: SpanExporter> SpanExporter for Named<T> {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        batch.iter_mut().for_each(name);
        self.0.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn name(span: &mut SpanData) {
    let mut failed = false;
    let mut name = None;
    for KeyValue { key, value, .. } in &span.attributes {
        match (key.as_str(), value) {
            ("operation", Value::String(operation)) => {
                name = Some(operation.as_str().to_owned());
                span.span_kind = SpanKind::Server;
            }
            ("rotation.step", Value::String(step)) => name = Some(step.as_str().to_owned()),
            ("status", Value::I64(status)) => failed |= *status >= 500,
            ("outcome", Value::String(outcome)) => {
                failed |= matches!(outcome.as_str(), "transient" | "permanent");
            }
            _ => {}
        }
    }
    if let Some(name) = name {
        span.name = name.into();
    }
    if failed {
        span.status = Status::error("");
    }
}

/// The collector, at the other end of a connection.
struct Collector {
    agent: ureq::Agent,
    /// Whether it did not take what it was sent last.
    failing: AtomicBool,
}

impl Collector {
    fn at(endpoint: &Endpoint) -> Self {
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(limits::TRACES_SEND_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None);
        if endpoint.0.scheme_str() == Some("https") {
            let roots = rustls_native_certs::load_native_certs().certs;
            let roots: Vec<Certificate<'static>> =
                roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            config = config.tls_config(
                TlsConfig::builder()
                    .unversioned_rustls_crypto_provider(provider)
                    .root_certs(RootCerts::new_with_certs(&roots))
                    .build(),
            );
        }
        Self { agent: config.build().into(), failing: AtomicBool::new(false) }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (parts, body) = request.into_parts();
        let mut response = self.agent.run(Request::from_parts(parts, &*body))?;
        let answer =
            response.body_mut().with_config().limit(limits::TRACES_ANSWER_BYTES_MAX).read_to_vec()?;
        Ok(response.map(|_| Bytes::from(answer)))
    }

    /// Says so once when it begins to fail, and once when that is over.
    fn tell(&self, sent: &Result<Response<Bytes>, ureq::Error>) {
        let why = match sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(response.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        let failed_before = self.failing.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !failed_before => {
                tracing::warn!(why, "the collector does not take traces; spans are lost until it does");
            }
            None if failed_before => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        // Blocks, and may: the exporter's thread has nothing else to do.
        Box::pin(async move {
            let sent = self.send(request);
            self.tell(&sent);
            sent.map_err(HttpError::from)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collectors_address_is_completed() {
        let whole = |text: &str| text.parse::<Endpoint>().map(|endpoint| endpoint.0.to_string());
        for text in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            assert_eq!(whole(text).unwrap(), "http://c:4318/v1/traces");
        }
        assert_eq!(whole("https://c/otlp/").unwrap(), "https://c/otlp/v1/traces");
        for text in ["", "c:4318", "grpc://c:4317", "http://u:p@c:4318", "http://c/?a=b"] {
            assert_eq!(whole(text), Err(NotAnEndpoint), "{text}");
        }
    }
}
