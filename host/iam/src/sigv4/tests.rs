//! What is refused, whom it is blamed on, and that nothing panics.

use std::time::Duration;

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_core::world::Timestamp;
use proptest::prelude::*;

use super::{
    AuthError, Head, Malformed, ScopePart, SigningKey, normal_path, present, sign, verify, verify_head,
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 2026-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// A request that can be tampered with.
#[derive(Clone, Debug)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    fn unsigned() -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        Self {
            method: "POST".to_owned(),
            path: "/2015-03-31/functions/rotate".to_owned(),
            query: "Qualifier=1&Marker=a%20b".to_owned(),
            headers: vec![
                header("host", "127.0.0.1:7295"),
                header("content-type", "application/x-amz-json-1.1"),
                header("x-amz-target", "secretsmanager.GetSecretValue"),
                header("user-agent", "test"),
            ],
            body: b"{\"SecretId\":\"db\"}".to_vec(),
        }
    }

    fn signed() -> Self {
        Self::unsigned().sign("AKIAEXAMPLE", SECRET, "us-east-1", "secretsmanager", NOW)
    }

    fn sign(mut self, access_key_id: &str, secret: &str, region: &str, service: &str, at: Timestamp) -> Self {
        let secret = SecretBytes::from(secret.to_owned());
        let added = self.with(|head, body| sign(head, body, access_key_id, &secret, region, service, at));
        self.headers.extend(added.into_iter().map(|(name, value)| (name, value.into_bytes())));
        self
    }

    fn with<T>(&self, see: impl FnOnce(&Head<'_>, &[u8]) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let head = Head { method: &self.method, path: &self.path, query: &self.query, headers: &headers };
        see(&head, &self.body)
    }

    fn header(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.headers.iter_mut().find(|(held, _)| held == name).unwrap().1
    }

    fn replace(&mut self, name: &str, from: &str, to: &str) {
        let value = self.header(name);
        let text = std::str::from_utf8(value).unwrap();
        assert!(text.contains(from), "{text} has no {from}");
        *value = text.replacen(from, to, 1).into_bytes();
    }

    fn verify_at(&self, secret: &str, wall: Timestamp) -> Result<(), AuthError> {
        self.with(|head, body| {
            let presented = present(head)?;
            let secret = SecretBytes::from(secret.to_owned());
            let key = SigningKey::derive(&secret, presented.date(), presented.region(), presented.service());
            verify(head, &presented, body, &key, wall)
        })
    }

    fn verify(&self) -> Result<(), AuthError> {
        self.verify_at(SECRET, NOW)
    }
}

fn tampered(change: impl FnOnce(&mut Request)) -> Result<(), AuthError> {
    let mut request = Request::signed();
    assert_eq!(request.verify(), Ok(()), "before it was tampered with");
    change(&mut request);
    request.verify()
}

#[test]
fn each_element_that_is_tampered_with_is_noticed() {
    let mismatch = Err(AuthError::Mismatch);
    assert_eq!(tampered(|request| request.method = "GET".to_owned()), mismatch);
    assert_eq!(tampered(|request| request.path.push('x')), mismatch);
    assert_eq!(tampered(|request| request.query.push_str("&more=1")), mismatch);
    assert_eq!(tampered(|request| request.query = request.query.replace("%20", "+")), mismatch);
    assert_eq!(tampered(|request| request.query.clear()), mismatch);
    for name in ["host", "content-type", "x-amz-target"] {
        assert_eq!(tampered(|request| request.header(name).push(b'x')), mismatch, "{name}");
    }
    assert_eq!(tampered(|request| request.body.push(b' ')), mismatch);
    assert_eq!(tampered(|request| request.body.clear()), mismatch);
    assert_eq!(tampered(|request| request.replace("x-amz-date", "T000000Z", "T000001Z")), mismatch);
    assert_eq!(tampered(|request| request.replace("authorization", "/us-east-1/", "/us-east-2/")), mismatch);
    assert_eq!(tampered(|request| request.replace("authorization", "/secretsmanager/", "/ssm/")), mismatch);
    assert_eq!(Request::signed().verify_at("another secret", NOW), mismatch);
}

#[test]
fn headers_that_nobody_signed_may_come_and_change_unless_they_are_amazons() {
    assert_eq!(tampered(|request| request.header("user-agent").push(b'x')), Ok(()));
    let add = |name: &'static str| {
        move |request: &mut Request| request.headers.push((name.to_owned(), b"1".to_vec()))
    };
    assert_eq!(tampered(add("x-forwarded-for")), Ok(()));
    assert_eq!(tampered(add("x-amzn-trace-id")), Ok(()));
    assert_eq!(tampered(add("x-amz-security-token")), Ok(()));
    assert_eq!(tampered(add("x-amz-meta")), Err(AuthError::UnsignedHeader));
    // A second value of a signed header is part of what was signed, and of some there may be one only.
    assert_eq!(tampered(add("content-type")), Err(AuthError::Mismatch));
    assert_eq!(tampered(add("x-amz-target")), Err(AuthError::Mismatch));
    for name in ["host", "authorization", "x-amz-date"] {
        assert_eq!(tampered(add(name)), Err(Malformed::Repeated.into()), "{name}");
    }
}

#[test]
fn the_form_of_an_authorization_header_is_held_to() {
    let refused =
        |from: &str, to: &str| tampered(|request| request.replace("authorization", from, to)).unwrap_err();
    assert_eq!(refused("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), Malformed::Algorithm.into());
    assert_eq!(refused("Credential=", "Credential"), Malformed::Pair.into());
    assert_eq!(refused("Credential=", "Other="), Malformed::Credential.into());
    assert_eq!(refused("SignedHeaders=", "Other="), Malformed::SignedHeaders.into());
    assert_eq!(refused("Signature=", "Other="), Malformed::Signature.into());
    assert_eq!(refused("Signature=", "Signature=0"), AuthError::Mismatch);
    // Whoever looks for `Credential=` would find somebody else's key.
    let another = "XCredential=AKIAVICTIM/20260101/us-east-1/x/aws4_request, Credential=";
    assert_eq!(refused("Credential=", another), Malformed::Parameter.into());
    assert_eq!(refused("/aws4_request", ""), Malformed::CredentialForm.into());
    assert_eq!(refused("/aws4_request", "/aws4_request/x"), Malformed::CredentialForm.into());
    assert_eq!(refused("/aws4_request", "/aws4"), ScopePart::Terminator.into());
    assert_eq!(refused("/us-east-1/", "//"), ScopePart::Region.into());
    assert_eq!(refused("/us-east-1/", "/US-EAST-1/"), ScopePart::Region.into());
    assert_eq!(refused("/secretsmanager/", "/a_b/"), ScopePart::Service.into());
    assert_eq!(refused("AKIAEXAMPLE", ""), Malformed::CredentialForm.into());
    assert_eq!(refused("content-type;host", "content-type"), Malformed::HostUnsigned.into());
    assert_eq!(refused("content-type;host", "host;content-type"), Malformed::SignedOrder.into());
    assert_eq!(refused("content-type;host", "content-type;host;host"), Malformed::SignedOrder.into());
    assert_eq!(refused("content-type;host", "content-type;host;more"), Malformed::SignedAbsent.into());
    assert_eq!(refused(";x-amz-target", ""), AuthError::UnsignedHeader);
    let upper = tampered(|request| {
        let value = request.header("authorization");
        let text = String::from_utf8(value.clone()).unwrap();
        let (before, signature) = text.split_once("Signature=").unwrap();
        *value = format!("{before}Signature={}", signature.to_uppercase()).into_bytes();
    });
    assert_eq!(upper, Err(AuthError::Mismatch), "a signature in upper case");
}

#[test]
fn a_request_without_a_signature_is_told_so() {
    assert_eq!(Request::unsigned().verify(), Err(AuthError::MissingToken));
    let dateless = tampered(|request| request.headers.retain(|(name, _)| name != "x-amz-date"));
    assert_eq!(dateless, Err(Malformed::Date.into()));
    let bearer = tampered(|request| *request.header("authorization") = b"Bearer abc".to_vec());
    assert_eq!(bearer, Err(Malformed::Algorithm.into()));
    let twice = tampered(|request| request.query.push_str("&X-Amz-Signature=00"));
    assert_eq!(twice, Err(Malformed::Repeated.into()), "signed in both ways");
    let escaped = tampered(|request| request.query.push_str("&X-Amz%2DSignature=00"));
    assert_eq!(escaped, Err(Malformed::Query.into()), "the same, in escapes");
}

#[test]
fn a_date_header_will_do_in_either_form() {
    for date in ["Thu, 01 Jan 2026 00:00:00 GMT", "20260101T000000Z"] {
        // What a client that sends Date signs is what one that sends X-Amz-Date would, without that header.
        let mut request = Request::unsigned();
        request.headers.push(("date".to_owned(), date.as_bytes().to_vec()));
        let secret = SecretBytes::from(SECRET.to_owned());
        let key = SigningKey::derive(&secret, "20260101", "us-east-1", "secretsmanager");
        let signed = "content-type;date;host;x-amz-target";
        let signature = request.with(|head, body| {
            let hash = super::canonical::hash(body);
            let form = super::canonical::PathForm::Normal;
            let canonical = super::canonical::request(head, signed, false, &hash, form);
            let to_sign = super::canonical::string_to_sign(
                "20260101T000000Z",
                "20260101",
                "us-east-1",
                "secretsmanager",
                &canonical,
            );
            hex::encode(key.signature(&to_sign))
        });
        let credential = "AKIAEXAMPLE/20260101/us-east-1/secretsmanager/aws4_request";
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed},Signature={signature}");
        request.headers.push(("authorization".to_owned(), authorization.into_bytes()));
        assert_eq!(request.verify(), Ok(()), "{date}");
        *request.header("date") = b"Thu, 01 Jan 2026 00:00:01 GMT".to_vec();
        assert_eq!(request.verify(), Err(AuthError::Mismatch), "{date}");
        *request.header("date") = b"yesterday".to_vec();
        assert_eq!(request.verify(), Err(Malformed::DateForm.into()));
    }
}

#[test]
fn a_signature_holds_five_minutes_either_way_and_says_so() {
    let request = Request::signed();
    let skew = limits::SIGNATURE_SKEW_MAX;
    let second = Duration::from_secs(1);
    assert_eq!(request.verify_at(SECRET, NOW + skew), Ok(()));
    assert_eq!(request.verify_at(SECRET, NOW - skew), Ok(()));
    assert_eq!(request.verify_at(SECRET, NOW + skew + Duration::from_millis(999)), Ok(()), "whole seconds");
    assert_eq!(
        request.verify_at(SECRET, NOW + skew + second).unwrap_err().to_string(),
        "Signature expired: 20260101T000000Z is now earlier than 20260101T000001Z (20260101T000501Z - 5 min.)"
    );
    assert_eq!(
        request.verify_at(SECRET, NOW - skew - second).unwrap_err().to_string(),
        "Signature not yet current: 20260101T000000Z is still later than 20251231T235959Z (20251231T235459Z + 5 min.)"
    );
}

#[test]
fn a_scope_of_another_day_is_refused() {
    let refused = tampered(|request| request.replace("authorization", "/20260101/", "/20260102/"));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260102' != \
         '20260101', from '20260101T000000Z'."
    );
}

#[test]
fn a_hash_of_the_body_must_be_the_bodys() {
    let with_hash = |hash: &str| {
        let mut request = Request::unsigned();
        request.headers.push(("x-amz-content-sha256".to_owned(), hash.as_bytes().to_vec()));
        request.sign("AKIAEXAMPLE", SECRET, "us-east-1", "secretsmanager", NOW).verify()
    };
    let right = super::canonical::hash(&Request::unsigned().body);
    assert_eq!(with_hash(std::str::from_utf8(&right).unwrap()), Ok(()));
    assert_eq!(with_hash("UNSIGNED-PAYLOAD"), Err(AuthError::BodyHash));
    assert_eq!(with_hash(&"0".repeat(64)), Err(AuthError::BodyHash));
}

/// A presigned request, whose signature is made with the verifier's own canonical form (AWS's vectors and botocore's
/// requests hold that form to theirs).
fn presigned(expires: &str) -> Request {
    let mut request = Request::unsigned();
    request.headers.retain(|(name, _)| name == "host");
    request.query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLE%2F20260101%2Fus-east-1%2Fsts%2Faws4_request\
         &X-Amz-Date=20260101T000000Z&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host&Action=GetCallerIdentity"
    );
    let secret = SecretBytes::from(SECRET.to_owned());
    let key = SigningKey::derive(&secret, "20260101", "us-east-1", "sts");
    let signature = request.with(|head, body| {
        let hash = super::canonical::hash(body);
        let form = super::canonical::PathForm::Normal;
        let canonical = super::canonical::request(head, "host", true, &hash, form);
        let to_sign =
            super::canonical::string_to_sign("20260101T000000Z", "20260101", "us-east-1", "sts", &canonical);
        hex::encode(key.signature(&to_sign))
    });
    request.query.push_str("&X-Amz-Signature=");
    request.query.push_str(&signature);
    request
}

#[test]
fn a_presigned_request_holds_from_its_date_to_its_expiry() {
    let request = presigned("3600");
    let hour = Duration::from_secs(3600);
    assert_eq!(request.verify_at(SECRET, NOW), Ok(()));
    assert_eq!(request.verify_at(SECRET, NOW + hour), Ok(()));
    assert!(matches!(
        request.verify_at(SECRET, NOW + hour + Duration::from_secs(1)),
        Err(AuthError::Expired { .. })
    ));
    assert_eq!(request.verify_at(SECRET, NOW - limits::SIGNATURE_SKEW_MAX), Ok(()));
    assert!(matches!(
        request.verify_at(SECRET, NOW - limits::SIGNATURE_SKEW_MAX - Duration::from_secs(1)),
        Err(AuthError::NotYetCurrent { .. })
    ));
    // Shorter than the skew: the expiry wins.
    assert!(matches!(
        presigned("60").verify_at(SECRET, NOW + Duration::from_secs(61)),
        Err(AuthError::Expired { .. })
    ));
    assert_eq!(presigned("604800").verify(), Ok(()));
    for expires in ["0", "604801", "-1", "", "1e3", "99999999999999999999"] {
        assert_eq!(presigned(expires).verify(), Err(Malformed::Expires.into()), "{expires}");
    }
}

#[test]
fn a_presigned_request_that_is_tampered_with_is_noticed() {
    let refused = |from: &str, to: &str| {
        let mut request = presigned("3600");
        assert!(request.query.contains(from), "{from}");
        request.query = request.query.replacen(from, to, 1);
        request.verify().unwrap_err()
    };
    assert_eq!(refused("GetCallerIdentity", "GetSessionToken"), AuthError::Mismatch);
    assert_eq!(refused("X-Amz-Expires=3600", "X-Amz-Expires=36000"), AuthError::Mismatch);
    assert_eq!(refused("T000000Z", "T000001Z"), AuthError::Mismatch);
    assert_eq!(refused("us-east-1", "us-east-2"), AuthError::Mismatch);
    assert_eq!(
        refused("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=date"),
        Malformed::HostUnsigned.into()
    );
    assert_eq!(refused("&X-Amz-Expires=3600", ""), Malformed::Query.into());
    assert_eq!(refused("&X-Amz-Date=20260101T000000Z", ""), Malformed::Query.into());
    assert_eq!(refused("X-Amz-Signature=", "X-Amz-Signatur="), Malformed::Query.into());
    assert_eq!(refused("&Action=", "&X-Amz-Expires=1&Action="), Malformed::Repeated.into());
    assert_eq!(refused("HMAC-SHA256", "HMAC-SHA1"), Malformed::Algorithm.into());
    let mut with_header = presigned("3600");
    with_header.headers.push(("x-amz-target".to_owned(), b"secretsmanager.GetSecretValue".to_vec()));
    assert_eq!(with_header.verify(), Err(AuthError::UnsignedHeader));
}

#[test]
fn errors_carry_awss_codes_and_nothing_of_the_request() {
    let cases = [
        (AuthError::MissingToken, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        (
            AuthError::UnknownKey,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        (
            AuthError::Mismatch,
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.",
        ),
    ];
    for (refused, code, message) in cases {
        assert_eq!((refused.code(), refused.status(), refused.to_string().as_str()), (code, 400, message));
    }
    assert_eq!(AuthError::from(Malformed::Date).code(), "IncompleteSignatureException");
    assert_eq!(AuthError::ExpiredToken.code(), "ExpiredTokenException");
}

#[test]
fn no_form_of_printing_shows_a_key_or_a_token() {
    let secret = SecretBytes::from("canary".to_owned());
    assert_eq!(format!("{:?}", SigningKey::derive(&secret, "20260101", "r", "s")), "[redacted]");
    let mut request = Request::signed();
    request.headers.push(("x-amz-security-token".to_owned(), b"canary-token".to_vec()));
    let printed = request.with(|head, _| format!("{:?}", present(head).unwrap()));
    assert!(printed.contains("AKIAEXAMPLE") && !printed.contains("canary"), "{printed}");
}

#[test]
fn a_path_has_one_normal_form() {
    let cases = [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("/.", "/"),
        ("/..", "/"),
        ("/../..", "/"),
        ("/a/..", "/"),
        ("/a/../b", "/b"),
        ("/a/./b", "/a/b"),
        ("/a//b/", "/a/b/"),
        ("/a/.", "/a/"),
        ("/a/b/..", "/a/"),
        ("/.a/..b", "/.a/..b"),
        ("a", "/a"),
        ("/a/%2e%2e/b", "/a/%2e%2e/b"),
    ];
    for (path, normal) in cases {
        assert_eq!(normal_path(path), normal, "{path:?}");
    }
}

/// Text that is more often than not something that the parsers look at twice.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("AWS4-HMAC-SHA256 ".to_owned()),
        Just("Credential=AK/20260101/us-east-1/ssm/aws4_request,".to_owned()),
        Just("SignedHeaders=host;x-amz-date,".to_owned()),
        Just("SignedHeaders=;;,".to_owned()),
        Just(format!("Signature={}", "0".repeat(64))),
        Just("20260101T000000Z".to_owned()),
        Just("X-Amz-Algorithm=AWS4-HMAC-SHA256&".to_owned()),
        Just("X-Amz-Credential=AK%2F20260101%2Fr%2Fs%2Faws4_request&".to_owned()),
        Just("X-Amz-Date=20260101T000000Z&X-Amz-Expires=9&X-Amz-SignedHeaders=host&".to_owned()),
        Just(format!("X-Amz-Signature={}&", "a".repeat(64))),
        "[%&=+/.;, T0-9a-zé\u{1f511}]{0,6}",
        any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..5).prop_map(|pieces| pieces.concat())
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let name = prop_oneof![
        Just("authorization".to_owned()),
        Just("x-amz-date".to_owned()),
        Just("date".to_owned()),
        Just("host".to_owned()),
        Just("x-amz-security-token".to_owned()),
        Just("x-amz-content-sha256".to_owned()),
        any::<String>(),
    ];
    let value = prop_oneof![text().prop_map(String::into_bytes), any::<Vec<u8>>()];
    (name, value)
}

prop_compose! {
    fn any_request()(
        method in any::<String>(),
        path in text(),
        query in text(),
        headers in prop::collection::vec(header(), 0..6),
        body in any::<Vec<u8>>(),
    ) -> Request {
        Request { method, path, query, headers, body }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_can_be_sent_makes_it_panic(request in any_request(), millis in any::<i64>()) {
        let _ = request.verify_at(SECRET, Timestamp::from_millis(millis));
        let _ = request.verify();
    }

    #[test]
    fn whatever_is_signed_is_verified(
        method in "[A-Z]{1,8}",
        path in "(/[a-zA-Z0-9._~%@:é -]{0,8}){0,4}",
        query in "([a-zA-Z%+é ]{0,4}(=[a-zA-Z0-9%+= ]{0,4})?&?){0,4}",
        extra in prop::collection::vec(("x-amz-[a-c]", any::<Vec<u8>>()), 0..4),
        body in any::<Vec<u8>>(),
        seconds in 0_i64..4_000_000_000,
    ) {
        let mut headers = vec![("host".to_owned(), b"pawl".to_vec())];
        headers.extend(extra);
        let at = Timestamp::from_millis(seconds * 1000);
        let request = Request { method, path, query, headers, body };
        let signed = request.sign("AKIAEXAMPLE", SECRET, "us-east-1", "ssm", at);
        prop_assert_eq!(signed.verify_at(SECRET, at), Ok(()));
    }

    #[test]
    fn one_bit_that_changes_in_the_body_is_noticed(at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut request = Request::signed();
        let at = at.index(request.body.len());
        request.body[at] ^= 1_u8 << bit;
        prop_assert_eq!(request.verify(), Err(AuthError::Mismatch));
    }

    #[test]
    fn one_bit_that_changes_in_what_was_signed_is_noticed(
        which in 0_usize..5,
        at in any::<prop::sample::Index>(),
        bit in 0_u32..7,
    ) {
        let mut request = Request::signed();
        let name = ["host", "content-type", "x-amz-target", "x-amz-date", "authorization"][which];
        let value = request.header(name);
        let at = at.index(value.len());
        value[at] ^= 1_u8 << bit;
        let changed = String::from_utf8_lossy(value).into_owned();
        let refused = request.verify();
        // Another key id is for whoever looks keys up; here it gets the same secret.
        let other_key = name == "authorization" && !changed.contains("=AKIAEXAMPLE/");
        prop_assert!(refused.is_err() || other_key, "{}", changed);
    }
}

#[test]
fn what_can_be_told_before_the_body_is_there_is_told() {
    let before = |request: &Request, wall: Timestamp| {
        request.with(|head, _| {
            let presented = present(head)?;
            let secret = SecretBytes::from(SECRET.to_owned());
            let key = SigningKey::derive(&secret, presented.date(), presented.region(), presented.service());
            verify_head(head, &presented, &key, wall)
        })
    };
    let hashed = |hash: String| {
        let mut request = Request::unsigned();
        request.headers.push(("x-amz-content-sha256".to_owned(), hash.into_bytes()));
        request.sign("AKIAEXAMPLE", SECRET, "us-east-1", "lambda", NOW)
    };
    // Without a hash the signature cannot be told; its date can.
    assert_eq!(before(&Request::signed(), NOW), Ok(()));
    let late = NOW + limits::SIGNATURE_SKEW_MAX + Duration::from_secs(60);
    assert!(matches!(before(&Request::signed(), late), Err(AuthError::Expired { .. })));
    // With one, it can: whatever the body will be.
    let mut request = hashed(hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&Request::unsigned().body)));
    assert_eq!((before(&request, NOW), request.verify()), (Ok(()), Ok(())));
    request.body.push(b' ');
    assert_eq!((before(&request, NOW), request.verify()), (Ok(()), Err(AuthError::BodyHash)));
    request.header("x-amz-content-sha256").reverse();
    assert_eq!(before(&request, NOW), Err(AuthError::Mismatch));
    assert_eq!(before(&hashed("UNSIGNED-PAYLOAD".to_owned()), NOW), Err(AuthError::BodyHash));
}
