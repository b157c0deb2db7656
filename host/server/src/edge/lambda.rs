//! Lambda's REST: the operation in method and path. A body is received only from who has signed, as far as that can be told
//! before it is there: it may be large.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Request, Response, StatusCode, request};
use pawl_api::Target;
use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::lambda::{self, Operation, Route};
use pawl_core::limits;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::aws_json::{ERROR_TYPE, REQUEST_ID};
use super::body::Wiped;
use super::gate::admitted;
use super::listener::peer_address;
use super::sign::{Signed, must_be_for, with_head, worth_a_body};
use crate::audit::{Answered as Done, Call};
use crate::host::Host;
use crate::identity::Caller;
use crate::metrics::Answered;
use crate::ops::lambda::{Reply, perform};
use crate::{ops, spans};

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/json");

/// Room for large bodies: each takes its length some times over until its component is stored.
static UPLOADS: Semaphore = Semaphore::const_new(limits::CODE_UPLOADS_AT_ONCE);

/// Answers one request.
pub(super) async fn handle(host: Arc<Host>, request: Request<Body>) -> Response<Body> {
    let mut counted = host.metrics.begin_request();
    let request_id = crate::world::uuid(&**host.app.rng());
    let (parts, body) = request.into_parts();
    let parts = Arc::new(parts);
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let route = Route::find(parts.method.as_str(), path, query);
    let target = route.as_ref().ok().map(|route| Target::Lambda(route.operation));
    counted.is_for(target);
    let span = spans::request(target, &request_id);
    let answering = async {
        let peer = peer_address(&parts.extensions);
        let call = Call::begin(&host, &parts, target, &request_id, peer).map_err(|_| failed())?;
        let mut received = None;
        let answer = answer(&host, &parts, &route, (body, &mut received), &request_id, &call).await;
        let fields = route.as_ref().map_or(&[][..], |route| route.parameters.fields());
        // What takes code has nothing else that is told.
        let body = received.as_ref().map_or(&[][..], |body| &body.bytes[..]);
        let body = if body.len() > limits::BODY_BYTES_MAX { &[][..] } else { body };
        let reply = answer.as_ref().map(|reply| reply.body.as_slice());
        call.ended(target, Done::Rest(fields, body, reply)).await.map_err(|_| failed())?;
        answer
    };
    let answer = answering.instrument(span.clone()).await;
    let answered = answer.as_ref().map_or_else(|error| Answered::Error(error.code), |_| Answered::Ok);
    counted.answered(answered);
    let status = answer.as_ref().map_or_else(|error| lambda::status(error.code), |reply| reply.status);
    spans::request_ended(&span, answered, status, counted.took());
    let mut response = match answer {
        Ok(reply) => shown(reply),
        Err(error) => refusal(&error),
    };
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, MEDIA_TYPE);
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Nothing can be recorded, so nothing is done.
fn failed() -> ApiError {
    ApiError::new(ErrorCode::ServiceException, "An error occurred on the server side.")
}

/// Whoever did not sign a request is not told what is wrong with it.
async fn answer(
    host: &Arc<Host>,
    parts: &Arc<request::Parts>,
    route: &Result<Route, ApiError>,
    (body, received): (Body, &mut Option<Arc<Wiped>>),
    request_id: &str,
    call: &Call<'_>,
) -> Result<Reply, ApiError> {
    host.gate.must_be_open(&parts.extensions).map_err(in_lambdas_words)?;
    with_head(parts, |head| worth_a_body(host, head, lambda::SIGNING_NAME))
        .inspect_err(|_| host.gate.note_refusal(&parts.extensions))?;
    let (most, code) = match route.as_ref().map(|route| route.operation) {
        Ok(operation) if operation.takes_code() => (limits::CODE_BODY_BYTES_MAX, true),
        Ok(Operation::Invoke) => (limits::INVOKE_BODY_BYTES_MAX, false),
        _ => (limits::BODY_BYTES_MAX, false),
    };
    let _room = match code {
        true => UPLOADS.acquire().await.ok(),
        false => None,
    };
    let body = &*received.insert(Arc::new(receive(body, most, code).await?));
    let caller = call.signed(verified(host, parts, body, request_id).await?);
    spans::request_signed(caller);
    let route = route.as_ref().map_err(ApiError::clone)?;
    let request = ops::lambda::Request { host, caller, route, headers: &parts.headers, body: &body.bytes };
    perform(request).await
}

/// Verifies a request with its body, elsewhere when it is long: its digest takes a while.
async fn verified(
    host: &Arc<Host>,
    parts: &Arc<request::Parts>,
    body: &Arc<Wiped>,
    request_id: &str,
) -> Result<Caller, ApiError> {
    let (host, parts, body, id) =
        (Arc::clone(host), Arc::clone(parts), Arc::clone(body), request_id.to_owned());
    let long = body.bytes.len() > limits::BODY_BYTES_MAX;
    let verify = move || {
        let signed = with_head(&parts, |head| admitted(&host, head, &body.bytes, id, &parts.extensions));
        let Signed { caller, service } = signed.map_err(in_lambdas_words)?;
        must_be_for(lambda::SIGNING_NAME, &service)?;
        Ok(caller)
    };
    if !long {
        return verify();
    }
    tokio::task::spawn_blocking(verify).await.map_err(|_| failed())?
}

/// Lambda has another name than other services for who asks too often.
fn in_lambdas_words(error: ApiError) -> ApiError {
    match error.code {
        ErrorCode::ThrottlingException => ApiError { code: ErrorCode::TooManyRequestsException, ..error },
        _ => error,
    }
}

async fn receive(body: Body, most: usize, code: bool) -> Result<Wiped, ApiError> {
    let too_long = || {
        let message = format!("Request must be smaller than {most} bytes for this operation");
        ApiError::new(ErrorCode::RequestTooLargeException, message)
    };
    // What says that it will be too long need not be read.
    if usize::try_from(body.size_hint().lower()).map_or(true, |bytes| bytes > most) {
        return Err(too_long());
    }
    let time = if code { limits::CODE_BODY_READ_TIMEOUT } else { limits::BODY_READ_TIMEOUT };
    match tokio::time::timeout(time, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(Wiped::from(bytes)),
        Ok(Err(_)) => Err(too_long()),
        Err(_) => Err(ApiError::new(
            ErrorCode::InvalidRequestContentException,
            "The request's body did not arrive in time.",
        )),
    }
}

fn shown(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(axum::body::Bytes::from_owner(reply.body)));
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn refusal(error: &ApiError) -> Response<Body> {
    let mut response = Response::new(Body::from(lambda::to_body(error)));
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(error.code.as_str()));
    if error.code == ErrorCode::TooManyRequestsException {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");
