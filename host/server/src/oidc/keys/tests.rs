use serde_json::{Value, json};

use super::*;

/// RFC 7515, A.2.
const RFC_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RFC_MESSAGE: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RFC_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

fn set(keys: &Value) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn rsa_key() -> Value {
    json!({"kty": "RSA", "n": RFC_N, "e": "AQAB"})
}

fn with(mut key: Value, members: &[(&str, Value)]) -> Value {
    for (name, value) in members {
        key[*name] = value.clone();
    }
    key
}

#[test]
fn the_published_example_verifies_and_nothing_near_it() {
    let keys = set(&json!([rsa_key()])).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(RFC_SIGNATURE).unwrap();
    let message = RFC_MESSAGE.as_bytes();
    assert!(keys.verify(Algorithm::Rs256, None, message, &signature));
    assert!(!keys.verify(Algorithm::Rs256, Some("x"), message, &signature), "no key has this id");
    for other in [Algorithm::Rs384, Algorithm::Rs512, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        assert!(!keys.verify(other, None, message, &signature));
    }
    for place in [0, 1, signature.len() / 2, signature.len() - 1] {
        let mut bent = signature.clone();
        bent[place] ^= 1;
        assert!(!keys.verify(Algorithm::Rs256, None, message, &bent));
    }
    assert!(!keys.verify(Algorithm::Rs256, None, message, &[]));
}

#[test]
fn a_key_is_for_what_it_says() {
    let signature = URL_SAFE_NO_PAD.decode(RFC_SIGNATURE).unwrap();
    let verifies = |keys: &Value, id| {
        set(keys).is_ok_and(|keys| keys.verify(Algorithm::Rs256, id, RFC_MESSAGE.as_bytes(), &signature))
    };
    assert!(verifies(&json!([with(rsa_key(), &[("use", "sig".into()), ("alg", "RS256".into())])]), None));
    assert!(verifies(&json!([with(rsa_key(), &[("key_ops", json!(["verify"]))])]), None));
    for wrong in [
        &[("use", json!("enc"))][..],
        &[("alg", json!("RS512"))],
        &[("alg", json!("none"))],
        &[("alg", json!("HS256"))],
        &[("alg", json!("PS256"))],
        &[("key_ops", json!(["sign"]))],
        &[("kty", json!("oct")), ("k", json!(RFC_N))],
        &[("kty", json!("EC")), ("crv", json!("P-256"))],
        &[("n", json!("AQAB"))],
        &[("n", json!(format!("{RFC_N}=")))],
        &[("e", json!(""))],
    ] {
        assert!(!verifies(&json!([with(rsa_key(), wrong)]), None), "{wrong:?}");
    }
    let named = with(rsa_key(), &[("kid", json!("a"))]);
    assert!(verifies(&json!([named]), Some("a")) && verifies(&json!([named]), None));
    // Several keys of one id, as after a clumsy rotation: each is tried. Several and no id: nobody guesses.
    let other = with(named.clone(), &[("n", json!(RFC_N.replacen("ofg", "ofh", 1)))]);
    assert!(verifies(&json!([other, named]), Some("a")));
    assert!(!verifies(&json!([other, named]), None));
}

#[test]
fn what_is_no_set_is_refused() {
    for text in ["", "{}", "[]", r#"{"keys":{}}"#, "null"] {
        assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), KeySetError::Form, "{text}");
    }
    assert_eq!(set(&json!([])).unwrap_err(), KeySetError::NoKey);
    assert_eq!(set(&json!([{"kty": "oct", "k": "AQAB"}, 7, null])).unwrap_err(), KeySetError::NoKey);
    let many: Vec<Value> = (0..=limits::KEY_SET_KEYS_MAX).map(|_| rsa_key()).collect();
    assert_eq!(set(&json!(many)).unwrap_err(), KeySetError::TooLong);
    assert!(set(&json!([{"kty": "unknown"}, rsa_key()])).is_ok(), "what is not understood is left out");
}
