//! The query protocol, which IAM and STS speak: `POST /` with a form.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Method, Request, Response, StatusCode, request};
use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::query::{ACTION, ANSWER_TYPE, FORM_TYPE, Form, Node, answer, refusal, wire};
use pawl_api::{Target, X_AMZ_TARGET, iam, sts};
use pawl_core::limits;
use pawl_iam::sigv4::{AuthError, Head, present};
use tracing::Instrument as _;
use zeroize::Zeroizing;

use super::aws_json::REQUEST_ID;
use super::body::{Missed, receive};
use super::gate::admitted;
use super::listener::{calling_from, peer_address};
use super::sign::{must_be_for, with_head};
use crate::audit::{Answered as Done, Call};
use crate::host::Host;
use crate::identity::Caller;
use crate::metrics::Answered;
use crate::{ops, spans};

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static(ANSWER_TYPE);

/// Whether a request speaks this protocol: a form, and no header that names an operation.
pub(super) fn is_for<B>(request: &Request<B>) -> bool {
    if request.headers().contains_key(X_AMZ_TARGET) || request.method() != Method::POST {
        return false;
    }
    let form = |kind: &HeaderValue| {
        let kind = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(FORM_TYPE.as_bytes())
    };
    request.uri().path() == "/" && request.headers().get(CONTENT_TYPE).is_some_and(form)
}

/// A service of this protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Iam,
    Sts,
}

impl Service {
    /// The service that a signature is for, be it right or not.
    fn of(head: &Head<'_>) -> Option<Self> {
        match present(head).ok()?.service() {
            iam::SIGNING_NAME => Some(Self::Iam),
            sts::SIGNING_NAME => Some(Self::Sts),
            _ => None,
        }
    }

    const fn namespace(self) -> &'static str {
        match self {
            Self::Iam => iam::NAMESPACE,
            Self::Sts => sts::NAMESPACE,
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Iam => iam::VERSION,
            Self::Sts => sts::VERSION,
        }
    }

    fn target(self, form: &Form) -> Result<Target, ApiError> {
        let action = form.get(ACTION).unwrap_or_default();
        let found = match self {
            Self::Iam => iam::Operation::from_action(action).map(Target::Iam),
            Self::Sts => sts::Operation::from_action(action).map(Target::Sts),
        };
        let version = form.get("Version").unwrap_or_default();
        found.filter(|_| version == self.version()).ok_or_else(|| {
            let message = format!("Could not find operation {action} for version {version}");
            ApiError::new(ErrorCode::UnknownOperationException, message)
        })
    }
}

/// Answers one request.
pub(super) async fn handle(host: Arc<Host>, request: Request<Body>) -> Response<Body> {
    let mut counted = host.metrics.begin_request();
    let request_id = crate::world::uuid(&**host.app.rng());
    let (parts, body) = request.into_parts();
    let form = match receive(&host, &parts, body, limits::UNSIGNED_BODY_BYTES_MAX).await {
        Ok(body) => Form::parse(&body.bytes).map(|form| (form, body)),
        Err(why) => Err(missed(why)),
    };
    let service = with_head(&parts, Service::of).or_else(|| match &form {
        Ok((form, _)) if is_unsigned(&parts) && Service::Sts.target(form) == Ok(UNSIGNED) => {
            Some(Service::Sts)
        }
        _ => None,
    });
    let target = match (&form, service) {
        (Ok((form, _)), Some(service)) => service.target(form).ok(),
        _ => None,
    };
    counted.is_for(target);
    let span = spans::request(target, &request_id);
    let namespace = service.unwrap_or(Service::Iam).namespace();
    let doing = async {
        let peer = peer_address(&parts.extensions);
        let call = Call::begin(&host, &parts, target, &request_id, peer).map_err(|_| ApiError::internal())?;
        let done = match &form {
            Ok((form, body)) => {
                respond(&host, &parts, service, (form, &body.bytes), &request_id, &call).await
            }
            Err(error) => Err(error.clone()),
        };
        let nodes = done.as_ref().map(|(_, nodes)| nodes.as_deref().unwrap_or_default());
        let form = form.as_ref().ok().map(|(form, _)| form);
        call.ended(target, Done::Form(form, nodes)).await.map_err(|_| ApiError::internal())?;
        done
    };
    let done = doing.instrument(span.clone()).await;
    let answered = done.as_ref().map_or_else(|error| Answered::Error(error.code), |_| Answered::Ok);
    counted.answered(answered);
    let (status, body) = match done {
        Ok((target, nodes)) => (200, answer(target.name(), namespace, nodes, &request_id)),
        Err(error) => (wire(error.code).status, refusal(&error, namespace, &request_id)),
    };
    spans::request_ended(&span, answered, status, counted.took());
    let mut response = Response::new(Body::from(Bytes::from_owner(Zeroizing::new(body))));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, MEDIA_TYPE);
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

fn missed(why: Missed) -> ApiError {
    match why {
        Missed::TooLong => ApiError::new(
            ErrorCode::RequestEntityTooLargeException,
            format!("The request's body must not be longer than {} bytes.", limits::BODY_BYTES_MAX),
        ),
        Missed::TooSlow => {
            ApiError::new(ErrorCode::ValidationError, "The request's body did not arrive in time.")
        }
    }
}

/// The one operation whose callers have no key yet.
const UNSIGNED: Target = Target::Sts(sts::Operation::AssumeRoleWithWebIdentity);

/// Whether a request has no signature at all: one that is wrong is refused as such.
fn is_unsigned(parts: &request::Parts) -> bool {
    with_head(parts, |head| matches!(present(head), Err(AuthError::MissingToken)))
}

/// Whoever did not sign a request is not told what is wrong with it.
async fn respond(
    host: &Host,
    parts: &request::Parts,
    service: Option<Service>,
    (form, body): (&Form, &[u8]),
    request_id: &str,
    call: &Call<'_>,
) -> Result<(Target, Option<Vec<Node>>), ApiError> {
    if is_unsigned(parts) && Service::Sts.target(form) == Ok(UNSIGNED) {
        let caller =
            calling_from(Caller::nobody(host.region.clone(), request_id.to_owned()), &parts.extensions);
        host.gate.must_be_open(&parts.extensions)?;
        let done = ops::sts::perform(host, &caller, sts::Operation::AssumeRoleWithWebIdentity, form).await;
        let nodes = done.inspect_err(|_| host.gate.note_refusal(&parts.extensions))?;
        return Ok((UNSIGNED, nodes));
    }
    let signed =
        with_head(parts, |head| admitted(host, head, body, request_id.to_owned(), &parts.extensions))?;
    let caller = call.signed(signed.caller);
    spans::request_signed(caller);
    let Some(service) = service else { return Err(other_service(&signed.service)) };
    let target = service.target(form)?;
    let nodes = match target {
        Target::Iam(operation) => {
            if caller.region.as_str() != iam::SIGNING_REGION {
                let message =
                    format!("Credential should be scoped to a valid region, not '{}'. ", caller.region);
                return Err(ApiError::new(ErrorCode::InvalidSignatureException, message));
            }
            ops::iam::perform(host, caller, operation, form).await?
        }
        Target::Sts(operation) => ops::sts::perform(host, caller, operation, form).await?,
        Target::SecretsManager(_) | Target::Pawl(_) | Target::Lambda(_) | Target::Kms(_) => {
            return Err(ApiError::internal());
        }
    };
    Ok((target, nodes))
}

/// A form for a service that takes none.
fn other_service(signed: &str) -> ApiError {
    must_be_for(iam::SIGNING_NAME, signed).err().unwrap_or_else(ApiError::internal)
}
