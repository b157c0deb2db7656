//! The floor: a bare axum handler, in a process of its own, that takes the same POST, parses its JSON and answers the same
//! bytes. No signature, no store, no crypto: what HTTP alone costs on this machine.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;

/// The argument that makes this program the floor's server.
pub(crate) const MODE: &str = "--serve-the-floor";

/// A running floor.
pub(crate) struct Floor {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Floor {
    /// Starts a server that answers `body` to everything.
    pub(crate) fn start(folder: &Path, body: &str) -> Self {
        let file = folder.join("floor-answer");
        std::fs::write(&file, body).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(MODE)
            .arg(file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    /// Processor time that it has taken so far.
    pub(crate) fn processor_time(&self) -> Duration {
        pawl_tests::processor::time_taken(self.child.id())
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's side.
pub(crate) fn serve(file: &Path) {
    let answer: Arc<str> = std::fs::read_to_string(file).unwrap().into();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let handler = move |body: Bytes| {
            let answer = Arc::clone(&answer);
            async move {
                let Ok(request) = serde_json::from_slice::<serde_json::Value>(&body) else {
                    return StatusCode::BAD_REQUEST.into_response();
                };
                if request.get("SecretId").is_none_or(|id| !id.is_string()) {
                    return StatusCode::BAD_REQUEST.into_response();
                }
                let headers = [
                    (header::CONTENT_TYPE, "application/x-amz-json-1.1"),
                    (
                        header::HeaderName::from_static("x-amzn-requestid"),
                        "00000000-0000-0000-0000-000000000000",
                    ),
                ];
                (headers, answer.to_string()).into_response()
            }
        };
        axum::serve(listener, Router::new().route("/", post(handler))).await.unwrap();
    });
}
