//! AWS JSON 1.1: `POST /` with the operation in `X-Amz-Target`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Method, Request, Response, StatusCode, request};
use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::{Target, X_AMZ_TARGET};
use pawl_core::limits;
use tracing::Instrument as _;

use super::body::{Missed, Wiped, receive};
use super::gate::admitted;
use super::listener::peer_address;
use super::sign::{must_be_for, with_head};
use crate::audit::{Answered as Done, Call};
use crate::host::Host;
use crate::metrics::Answered;
use crate::{ops, spans};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
pub(super) const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

/// Answers one request.
pub(super) async fn handle(host: Arc<Host>, request: Request<Body>) -> Response<Body> {
    let mut counted = host.metrics.begin_request();
    let request_id = host.request_ids.next();
    let (parts, body) = request.into_parts();
    let target = target(&parts);
    let known = target.as_ref().ok().copied();
    counted.is_for(known);
    let span = spans::request(known, &request_id);
    let answering = async {
        let peer = peer_address(&parts.extensions);
        let call = Call::begin(&host, &parts, known, &request_id, peer).map_err(|_| ApiError::internal())?;
        let body = receive(&host, &parts, body, 0).await.map_err(missed);
        let answer = match &body {
            Ok(body) => answer(&host, &parts, target, body, &request_id, &call).await,
            Err(error) => Err(error.clone()),
        };
        let body = body.as_ref().map_or(&[][..], |body| &body.bytes[..]);
        let recorded =
            call.ended(known, Done::Json(body, answer.as_ref().map(|answer| answer.as_slice()))).await;
        recorded.map_err(|_| ApiError::internal())?;
        answer
    };
    let answer = answering.instrument(span.clone()).await;
    let answered = answer.as_ref().map_or_else(|error| Answered::Error(error.code), |_| Answered::Ok);
    counted.answered(answered);
    spans::request_ended(&span, answered, answered.status(), counted.took());
    let mut response = match answer {
        Ok(body) => Response::new(Body::from(Bytes::from_owner(body))),
        Err(error) => refusal(&error),
    };
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
            ApiError::new(ErrorCode::SerializationException, "The request's body did not arrive in time.")
        }
    }
}

/// The operation that a request names. Whoever did not sign it is not told what is wrong with it.
fn target(parts: &request::Parts) -> Result<Target, ApiError> {
    let unknown = || {
        ApiError::new(ErrorCode::UnknownOperationException, "The request names no operation of this server.")
    };
    if parts.method != Method::POST || parts.uri.path() != "/" {
        return Err(unknown());
    }
    let target = parts.headers.get(X_AMZ_TARGET).and_then(|target| target.to_str().ok());
    Target::from_header(target.ok_or_else(unknown)?)
}

async fn answer(
    host: &Host,
    parts: &request::Parts,
    target: Result<Target, ApiError>,
    body: &Wiped,
    request_id: &str,
    call: &Call<'_>,
) -> Result<ops::Body, ApiError> {
    let signed =
        with_head(parts, |head| admitted(host, head, &body.bytes, request_id.to_owned(), &parts.extensions))?;
    let caller = call.signed(signed.caller);
    spans::request_signed(caller);
    let target = target?;
    must_be_for(target.signing_name(), &signed.service)?;
    ops::perform(host, caller, target, &body.bytes).await
}

fn refusal(error: &ApiError) -> Response<Body> {
    let mut response = Response::new(Body::from(error.to_body()));
    *response.status_mut() =
        StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(error.code.as_str()));
    response
}
