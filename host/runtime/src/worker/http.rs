//! The WIT's `http`, as messages to the host.

use wasmtime::component::Resource;

use super::guest::{Guest, mismatch};
use super::link::http;
use crate::wire::{
    Call, Captured, HttpError, HttpHeader, HttpPart, HttpPlace, HttpRequest, HttpResponse, Reply,
};

impl http::Host for Guest {
    fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<http::Response, http::Error>> {
        match self.ask(Call::Http(request.into()))? {
            Reply::Http(answered) => Ok(answered.map(Into::into).map_err(Into::into)),
            _ => Err(mismatch()),
        }
    }

    fn capture(
        &mut self,
        request: http::Request,
        places: Vec<http::Place>,
    ) -> wasmtime::Result<Result<http::Captured, http::Error>> {
        let place = |place| match place {
            http::Place::Json(pointer) => HttpPlace::Json(pointer),
            http::Place::Header(name) => HttpPlace::Header(name),
        };
        let places = places.into_iter().map(place).collect();
        match self.ask(Call::Capture { request: request.into(), places })? {
            Reply::Captured(answered) => Ok(answered.map(Into::into).map_err(Into::into)),
            _ => Err(mismatch()),
        }
    }
}

impl From<Captured> for http::Captured {
    fn from(Captured { status, values }: Captured) -> Self {
        Self { status, values: values.into_iter().map(Resource::new_own).collect() }
    }
}

impl From<http::Request> for HttpRequest {
    fn from(request: http::Request) -> Self {
        let http::Request { method, url, headers, body, answer } = request;
        let header = |http::Header { name, value }| HttpHeader { name, value: parts(value) };
        Self {
            method,
            url,
            headers: headers.into_iter().map(header).collect(),
            body: parts(body),
            whole: answer == http::Answer::Whole,
        }
    }
}

fn parts(parts: Vec<http::Part>) -> Vec<HttpPart> {
    let part = |part| match part {
        http::Part::Text(text) => HttpPart::Text(text),
        http::Part::Sensitive(value) => HttpPart::Sensitive(value.rep()),
        http::Part::Json(value) => HttpPart::Json(value.rep()),
        http::Part::Percent(value) => HttpPart::Percent(value.rep()),
        http::Part::Basic(http::Basic { user, password }) => {
            HttpPart::Basic { user, password: password.rep() }
        }
    };
    parts.into_iter().map(part).collect()
}

impl From<HttpResponse> for http::Response {
    fn from(response: HttpResponse) -> Self {
        let HttpResponse { status, headers, body } = response;
        let headers = headers.into_iter().map(|(name, value)| http::Field { name, value }).collect();
        Self { status, headers, body }
    }
}

impl From<HttpError> for http::Error {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::NotGranted(text) => Self::NotGranted(text),
            HttpError::Refused(text) => Self::Refused(text),
            HttpError::Unreachable(text) => Self::Unreachable(text),
            HttpError::Untrusted(text) => Self::Untrusted(text),
            HttpError::LockoutBudgetSpent(text) => Self::LockoutBudgetSpent(text),
            HttpError::Lost(text) => Self::Lost(text),
            HttpError::Unreadable(status) => Self::Unreadable(status),
            HttpError::Superseded => Self::Superseded,
        }
    }
}
