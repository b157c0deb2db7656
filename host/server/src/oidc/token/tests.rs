use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;

/// An issuer with a key of each kind.
struct Signer {
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    rng: SystemRandom,
}

impl Signer {
    fn new() -> Self {
        let rng = SystemRandom::new();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
        let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &rng).unwrap();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&rng).unwrap();
        let ed25519 = Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap();
        Self { p256, ed25519, rng }
    }

    fn keys(&self) -> KeySet {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = self.p256.public_key().as_ref();
        let keys = json!({"keys": [
            {"kty": "EC", "crv": "P-256", "kid": "e", "x": encode(&point[1..33]), "y": encode(&point[33..])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": encode(self.ed25519.public_key().as_ref())},
        ]});
        KeySet::parse(keys.to_string().as_bytes()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encode(&header.to_string()), encode(claims));
        let signature = match header["kid"].as_str() {
            Some("d") => self.ed25519.sign(message.as_bytes()).as_ref().to_vec(),
            _ => self.p256.sign(&self.rng, message.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn claims(changes: &[(&str, Value)]) -> Value {
    let mut claims = json!({"iss": "https://issuer.example", "sub": "system:serviceaccount:a:b",
        "aud": ["sts.amazonaws.com"], "exp": NOW + 600, "iat": NOW - 5, "nbf": NOW - 5});
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    claims
}

fn judge(signer: &Signer, token: &str) -> Result<Claims, TokenError> {
    let audiences = ["sts.amazonaws.com".to_owned(), "another".to_owned()];
    Token::parse(token)?.believe(&signer.keys(), &audiences, Timestamp::from_millis(NOW * 1_000 + 999))
}

#[test]
fn a_token_of_each_algorithm_is_believed() {
    let signer = Signer::new();
    for header in [
        json!({"alg": "ES256", "kid": "e", "typ": "JWT"}),
        json!({"alg": "EdDSA", "kid": "d"}),
        json!({"alg": "ES256"}),
    ] {
        let said = judge(&signer, &signer.sign(&header, &claims(&[]).to_string())).unwrap();
        assert_eq!(said.subject, "system:serviceaccount:a:b");
        assert_eq!(said.audiences, ["sts.amazonaws.com"]);
    }
}

#[test]
fn no_header_talks_anyone_into_anything() {
    let signer = Signer::new();
    let text = claims(&[]).to_string();
    let error = |header: Value| judge(&signer, &signer.sign(&header, &text)).unwrap_err();
    for alg in ["none", "None", "NONE", "HS256", "hs256", "PS256", "ES512", "RSA1_5", "", "es256"] {
        assert_eq!(error(json!({"alg": alg, "kid": "e"})), TokenError::Algorithm, "{alg}");
    }
    // The other key's algorithm, a key that is not there, and a key of the token's own.
    assert_eq!(error(json!({"alg": "EdDSA", "kid": "e"})), TokenError::Signature);
    assert_eq!(error(json!({"alg": "RS256", "kid": "e"})), TokenError::Signature);
    assert_eq!(error(json!({"alg": "ES256", "kid": "x"})), TokenError::Signature);
    assert_eq!(
        error(json!({"alg": "ES256", "kid": "d", "jwk": {"kty": "EC"}, "jku": "https://x"})),
        TokenError::Signature
    );
    assert_eq!(error(json!({"alg": "ES256", "kid": "e", "crit": ["exp"]})), TokenError::Form);
    assert_eq!(error(json!({"alg": "ES256", "kid": "e", "crit": [], "b64": false})), TokenError::Form);
    assert_eq!(error(json!({"kid": "e"})), TokenError::Form);
    assert_eq!(error(json!({"alg": ["ES256"], "kid": "e"})), TokenError::Form);
    let twice = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none","alg":"ES256"}"#),
        URL_SAFE_NO_PAD.encode(&text)
    );
    assert_eq!(judge(&signer, &format!("{twice}.AAAA")).unwrap_err(), TokenError::Form);
}

#[test]
fn a_token_that_was_bent_is_no_token() {
    let signer = Signer::new();
    let token = signer.sign(&json!({"alg": "ES256", "kid": "e"}), &claims(&[]).to_string());
    assert!(judge(&signer, &token).is_ok());
    for place in 0..token.len() {
        for put in ['A', 'B', '.', '=', '\u{e9}'] {
            let mut bent: Vec<char> = token.chars().collect();
            if bent[place] == put {
                continue;
            }
            bent[place] = put;
            let bent: String = bent.into_iter().collect();
            assert!(judge(&signer, &bent).is_err(), "{place} {put}");
        }
    }
    let parts: Vec<&str> = token.split('.').collect();
    for wrong in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        parts[..2].join("."),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{token}."),
        format!("{token}.{}", parts[2]),
        format!(" {token}"),
        format!("{token}\n"),
        [parts[0], parts[1], parts[0], parts[1], parts[2]].join("."),
        token.replace('.', ","),
    ] {
        assert!(judge(&signer, &wrong).is_err(), "{wrong}");
    }
    // Another's key over the same words.
    let other = Signer::new();
    assert_eq!(judge(&other, &token).unwrap_err(), TokenError::Signature);
}

#[test]
fn claims_are_what_they_must_be() {
    let signer = Signer::new();
    let judge = |changes: &[(&str, Value)]| {
        let token = signer.sign(&json!({"alg": "ES256", "kid": "e"}), &claims(changes).to_string());
        judge(&signer, &token)
    };
    let expired = |expires| TokenError::Expired { now: NOW, expires };
    for (name, value, error) in [
        ("exp", json!(NOW), expired(NOW)),
        ("exp", json!(NOW - 1), expired(NOW - 1)),
        ("exp", json!(f64::from(i32::MAX)), expired(0)),
        ("exp", json!(null), TokenError::Claim("exp")),
        ("exp", json!(-1), TokenError::Claim("exp")),
        ("exp", json!(1e300), TokenError::Claim("exp")),
        ("exp", json!(i64::MAX), TokenError::Claim("exp")),
        ("exp", json!("9999999999"), TokenError::Form),
        ("iat", json!(null), TokenError::Claim("iat")),
        ("iat", json!(NOW + 61), TokenError::Early),
        ("nbf", json!(NOW + 61), TokenError::Early),
        ("nbf", json!(-5), TokenError::Claim("nbf")),
        ("aud", json!("elsewhere"), TokenError::Audience),
        ("aud", json!([]), TokenError::Audience),
        ("aud", json!(null), TokenError::Audience),
        ("aud", json!(vec!["sts.amazonaws.com"; 17]), TokenError::Claim("aud")),
        ("aud", json!({"x": "sts.amazonaws.com"}), TokenError::Form),
        ("azp", json!("elsewhere"), TokenError::Audience),
        ("sub", json!(""), TokenError::Claim("sub")),
        ("sub", json!(null), TokenError::Claim("sub")),
        ("sub", json!("x".repeat(256)), TokenError::Claim("sub")),
        ("sub", json!("a\u{0}b"), TokenError::Claim("sub")),
        ("sub", json!(7), TokenError::Form),
        ("iss", json!(null), TokenError::Form),
    ] {
        let found = judge(&[(name, value.clone())]);
        match (&error, &found) {
            (TokenError::Expired { expires: 0, .. }, Ok(_)) => {}
            _ => assert_eq!(found.unwrap_err(), error, "{name} {value}"),
        }
    }
    assert!(
        judge(&[("iat", json!(NOW + 60)), ("nbf", json!(NOW + 60))]).is_ok(),
        "a clock may be a little ahead"
    );
    assert!(judge(&[("exp", json!(NOW as f64 + 1.5)), ("nbf", json!(null))]).is_ok());
    let said = judge(&[("azp", json!("another")), ("aud", json!(["one", "two"]))]).unwrap();
    assert_eq!(
        (said.audiences, said.original_audiences),
        (vec!["another".to_owned()], vec!["one".to_owned(), "two".to_owned()])
    );
    let tags =
        json!({"principal_tags": {"team": ["payments"], "one": "text"}, "transitive_tag_keys": ["team"]});
    let said = judge(&[("https://aws.amazon.com/tags", tags)]).unwrap();
    assert_eq!(said.tags.len(), 2);
    let several = json!({"principal_tags": {"team": ["payments", "more"]}});
    assert!(judge(&[("https://aws.amazon.com/tags", several)]).is_err());
    let twice =
        r#"{"iss":"https://issuer.example","sub":"a","sub":"b","aud":"another","exp":1900000000,"iat":1}"#;
    let token = signer.sign(&json!({"alg": "ES256", "kid": "e"}), twice);
    assert_eq!(super::tests::judge(&signer, &token).unwrap_err(), TokenError::Form);
}
