//! The signer and the verifier against what others have signed: AWS's own test suite, and botocore.

use std::collections::BTreeMap;

use pawl_core::value::SecretBytes;
use pawl_core::world::Timestamp;
use serde::Deserialize;

use super::canonical::{self, PathForm};
use super::moment::Moment;
use super::verify::matches;
use super::{AuthError, Head, SigningKey, normal_path, present, sign, verify};

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn headers(&self) -> Vec<(&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }

    fn head<'a>(&'a self, headers: &'a [(&'a str, &'a [u8])]) -> Head<'a> {
        Head { method: &self.method, path: &self.path, query: &self.query, headers }
    }
}

#[derive(Deserialize)]
struct Signed {
    request: Request,
    canonical_request: String,
    string_to_sign: Option<String>,
    signature: String,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    normalize: bool,
    timestamp: String,
    header: Signed,
    query: Option<Signed>,
}

/// What is not run, and why. A name that no vector has fails the test.
const SKIPPED: [(&str, &str, &str); 2] = [
    (
        "double-encode-path",
        "header",
        "its files disagree on the date and its secret is not given; its path is tested",
    ),
    (
        "post-sts-header-after",
        "query",
        "adds X-Amz-Security-Token to the query after signing, as AWS IoT alone takes it",
    ),
];

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap()
}

fn basic(text: &str) -> Timestamp {
    Moment::from_basic(text.into()).unwrap().at
}

#[test]
fn every_vector_of_aws_is_verified_in_both_forms() {
    let vectors = vectors();
    let mut skipped = BTreeMap::from(SKIPPED.map(|(name, form, why)| ((name, form), why)));
    let mut run = (0, 0);
    for vector in &vectors {
        if skipped.remove(&(vector.name.as_str(), "header")).is_none() {
            check(vector, &vector.header, "header");
            run.0 += 1;
        }
        if let Some(signed) = &vector.query
            && skipped.remove(&(vector.name.as_str(), "query")).is_none()
        {
            check(vector, signed, "query");
            run.1 += 1;
        }
    }
    assert!(skipped.is_empty(), "no such vector: {skipped:?}");
    assert_eq!(run, (39, 37), "vectors run in header form and in query form");
}

fn check(vector: &Vector, signed: &Signed, form: &str) {
    let name = format!("{} ({form})", vector.name);
    let headers = signed.request.headers();
    let head = signed.request.head(&headers);
    let presented = present(&head).unwrap_or_else(|refused| panic!("{name}: {refused}"));
    assert_eq!(presented.access_key_id(), vector.access_key_id, "{name}");
    assert_eq!(presented.session_token(), vector.session_token.as_deref(), "{name}");
    assert_eq!(presented.is_presigned(), form == "query", "{name}");
    assert_eq!(hex::encode(presented.signature), signed.signature, "{name}");

    let path_form = if vector.normalize { PathForm::Normal } else { PathForm::AsSent };
    let body = signed.request.body.as_bytes();
    let body_hash = canonical::hash(body);
    let request =
        canonical::request(&head, &presented.signed_headers, presented.is_presigned(), &body_hash, path_form);
    assert_eq!(String::from_utf8_lossy(&request), signed.canonical_request, "{name}");
    if let Some(expected) = &signed.string_to_sign {
        let to_sign = canonical::string_to_sign(
            &presented.moment.text,
            presented.date(),
            presented.region(),
            presented.service(),
            &request,
        );
        assert_eq!(String::from_utf8_lossy(&to_sign), *expected, "{name}");
    }

    let secret = SecretBytes::from(vector.secret_access_key.clone());
    let key = SigningKey::derive(&secret, presented.date(), presented.region(), presented.service());
    assert_eq!(matches(&presented, &request, &key), Ok(()), "{name}");
    let verified = verify(&head, &presented, body, &key, basic(&vector.timestamp));
    let same_path = vector.normalize || normal_path(head.path) == head.path;
    assert_eq!(verified, if same_path { Ok(()) } else { Err(AuthError::Mismatch) }, "{name}");
}

#[test]
fn a_path_is_encoded_once_more_than_it_came() {
    let vectors = vectors();
    let vector = vectors.iter().find(|vector| vector.name == "double-encode-path").unwrap();
    let headers = vector.header.request.headers();
    let head = vector.header.request.head(&headers);
    let request = canonical::request(&head, "host", false, &canonical::hash(b""), PathForm::Normal);
    let path = |text: &str| text.split('\n').nth(1).unwrap().to_owned();
    assert_eq!(path(&String::from_utf8(request).unwrap()), path(&vector.header.canonical_request));
}

#[derive(Deserialize)]
struct FromBotocore {
    name: String,
    service: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    request: Request,
}

fn from_botocore() -> Vec<FromBotocore> {
    serde_json::from_str(include_str!("../../tests/botocore.json")).unwrap()
}

const BOTOCORE_DATE: &str = "20260304T050607Z";

#[test]
fn what_botocore_signs_is_verified() {
    for case in &from_botocore() {
        let headers = case.request.headers();
        let head = case.request.head(&headers);
        let presented = present(&head).unwrap_or_else(|refused| panic!("{}: {refused}", case.name));
        assert_eq!(presented.region(), case.region, "{}", case.name);
        assert_eq!(presented.service(), case.service, "{}", case.name);
        assert_eq!(presented.session_token(), case.session_token.as_deref(), "{}", case.name);
        let secret = SecretBytes::from(case.secret_access_key.clone());
        let key = SigningKey::derive(&secret, presented.date(), presented.region(), presented.service());
        let verified = verify(&head, &presented, case.request.body.as_bytes(), &key, basic(BOTOCORE_DATE));
        assert_eq!(verified, Ok(()), "{}", case.name);
    }
}

#[test]
fn a_signature_of_ours_is_the_one_that_botocore_makes() {
    let mut compared = 0;
    for case in &from_botocore() {
        let expected = case.request.headers.iter().find(|(name, _)| name == "authorization");
        let Some((_, expected)) = expected else { continue };
        let headers: Vec<_> =
            case.request.headers().into_iter().filter(|(name, _)| *name != "authorization").collect();
        let added = sign(
            &case.request.head(&headers),
            case.request.body.as_bytes(),
            &case.access_key_id,
            &SecretBytes::from(case.secret_access_key.clone()),
            &case.region,
            &case.service,
            basic(BOTOCORE_DATE),
        );
        let wanted = [("x-amz-date", BOTOCORE_DATE), ("authorization", expected.as_str())];
        let added: Vec<_> = added.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(added, wanted, "{}", case.name);
        compared += 1;
    }
    assert!(compared >= 10, "compared {compared}");
}
