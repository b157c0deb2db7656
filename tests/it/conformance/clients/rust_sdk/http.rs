//! The SDK's HTTP by the tests' own: one connection for each call, no TLS.

use aws_sdk_secretsmanager::config::SharedHttpClient;
use aws_sdk_secretsmanager::config::http::HttpRequest;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use pawl_tests::http::Request;

#[derive(Debug)]
struct Plain;

pub(super) fn client() -> SharedHttpClient {
    http_client_fn(|_, _| SharedHttpConnector::new(Plain))
}

impl HttpConnector for Plain {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(send(&request).map_err(|why| ConnectorError::other(why.into(), None)))
    }
}

fn send(request: &HttpRequest) -> Result<HttpResponse, String> {
    let uri = request.uri();
    let host = uri.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let body = request.body().bytes().ok_or("a body that is not in memory")?;
    let mut plain = Request {
        method: request.method().to_owned(),
        path: "/".to_owned(),
        headers: vec![("host".to_owned(), host.to_owned())],
        body: body.to_vec(),
    };
    for (name, value) in request.headers() {
        // What the connection needs is said by the connection.
        if name != "content-length" && name != "host" {
            plain = plain.header(name, value);
        }
    }
    let address = host.parse().map_err(|why| format!("{host}: {why}"))?;
    let answer = plain.try_send(address).map_err(|why| why.to_string())?;
    let status = answer.status.try_into().map_err(|_| format!("status {}", answer.status))?;
    let mut response = HttpResponse::new(status, answer.body.into());
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value);
    }
    Ok(response)
}
