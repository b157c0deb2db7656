//! What each protocol answers to a session that is over. No test waits for that: the session began long enough ago.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use axum::body::to_bytes;
use pawl_core::value::SecretBytes;
use pawl_core::world::Timestamp;
use pawl_iam::sigv4::{Head, sign};
use pawl_runtime::dial::Egress;

use super::*;
use crate::identity::{Issued, Who};
use crate::root_key::ProviderSecrets;
use crate::settings::{AuditSettings, DoorSettings, Settings};
use crate::start::open;

const SECONDS: u32 = 900;
const FORM: &str = "application/x-www-form-urlencoded";

/// A request to a service, as its SDK makes it.
struct Asked {
    service: &'static str,
    path: &'static str,
    method: &'static str,
    target: Option<&'static str>,
    body: &'static str,
}

const ALL: [Asked; 5] = [
    Asked {
        service: "secretsmanager",
        path: "/",
        method: "POST",
        target: Some("secretsmanager.ListSecrets"),
        body: "{}",
    },
    Asked { service: "kms", path: "/", method: "POST", target: Some("TrentService.ListKeys"), body: "{}" },
    Asked {
        service: "iam",
        path: "/",
        method: "POST",
        target: None,
        body: "Action=ListUsers&Version=2010-05-08",
    },
    Asked {
        service: "sts",
        path: "/",
        method: "POST",
        target: None,
        body: "Action=GetCallerIdentity&Version=2011-06-15",
    },
    Asked { service: "lambda", path: "/2015-03-31/functions/", method: "GET", target: None, body: "" },
];

/// What the port answers to it, signed by a session: the status, and the body with what names the error in a header.
async fn answered(host: &Arc<Host>, by: &Issued, asked: &Asked, at: Timestamp) -> (u16, String) {
    let mut headers =
        vec![("host".to_owned(), "pawl".to_owned()), ("x-amz-security-token".to_owned(), by.token.clone())];
    match asked.target {
        Some(target) => {
            headers.push(("x-amz-target".to_owned(), target.to_owned()));
            headers.push(("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()));
        }
        None if asked.method == "POST" => headers.push(("content-type".to_owned(), FORM.to_owned())),
        None => {}
    }
    let (secret, body) = (SecretBytes::new(by.key.secret.expose().to_vec()), asked.body.as_bytes());
    let borrowed: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let head = Head { method: asked.method, path: asked.path, query: "", headers: &borrowed };
    let signed = sign(&head, body, &by.key.id, &secret, "us-east-1", asked.service, at);
    headers.extend(signed);
    let mut request = Request::builder().method(asked.method).uri(asked.path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response = service(State(host.clone()), request.body(Body::from(asked.body)).unwrap()).await;
    let (head, body) = response.into_parts();
    let kind = head.headers.get("x-amzn-errortype").map(|kind| kind.to_str().unwrap().to_owned());
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (head.status.as_u16(), format!("{} {}", kind.unwrap_or_default(), String::from_utf8_lossy(&body)))
}

#[tokio::test]
async fn a_session_that_is_over_is_refused_in_the_words_of_each_protocol() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        data_dir: dir.path().join("data"),
        database_url: None,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        account: "000000000000".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        database_ca: None,
        functions_dir: None,
        cache_bytes: 1 << 20,
        dev_clock: false,
        bootstrap: None,
        doors: DoorSettings::default(),
        root_key_sources: Vec::new(),
        root_key_secrets: ProviderSecrets::default(),
        audit: AuditSettings { is_on: true, dir: None, retention_days: None, segment_bytes: 1 << 20 },
        webhook: None,
        worker_program: PathBuf::from("/bin/true"),
        unconfined_workers: true,
        egress: Egress::default(),
    };
    let opened = open(settings).await.unwrap();
    let host = &opened.host;
    let now = host.app.clock().wall();
    let begun = |seconds_ago: i64| {
        let at = Timestamp::from_millis(now.millis() - seconds_ago * 1_000);
        host.directory.begin(Who::Root, SECONDS, at).unwrap()
    };
    let (over, still) = (begun(i64::from(SECONDS)), begun(i64::from(SECONDS) / 2));
    let sentence = "The security token included in the request is expired";
    for asked in &ALL {
        let (status, body) = answered(host, &still, asked, now).await;
        // IAM is for no session of the root identity's own, and says that in other words.
        let is_let = asked.service != "iam";
        assert_eq!(
            status,
            if is_let { 200 } else { 403 },
            "{} with a session that is not over: {body}",
            asked.service
        );
        assert!(is_let || body.contains("<Code>AccessDenied</Code>"), "{body}");
        let (status, body) = answered(host, &over, asked, now).await;
        let (expected, code) = match asked.service {
            "iam" | "sts" => (403, "<Code>ExpiredToken</Code>"),
            "lambda" => (403, "ExpiredTokenException "),
            _ => (400, "ExpiredTokenException "),
        };
        assert_eq!(status, expected, "{}: {body}", asked.service);
        assert!(body.contains(code) && body.contains(sentence), "{}: {body}", asked.service);
        assert!(!body.contains("ListSecretsResponse") && !body.contains("<Arn>"), "{body}");
    }
}
