//! Signatures.

use pawl_core::value::SecretBytes;
use pawl_core::world::Timestamp;
use pawl_iam::sigv4::{AuthError, SigningKey, normal_path, present, sign, verify};

use crate::wire::Request;

/// AWS's own documentation's key, which the seeds are signed with.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const REGION: &str = "us-east-1";
const SERVICE: &str = "secretsmanager";
/// 2026-01-01T00:00:00Z, when the seeds are signed and the checks take place.
const WALL: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// A request as text (see `fuzz/seeds/sigv4`). It is refused or it holds, as it is and when it is signed anew; and one that holds
/// does not hold any longer when any part that was signed is another.
pub fn check_sigv4(data: &[u8]) -> bool {
    let Some(request) = Request::read(data) else { return false };
    let taken = holds(&request, SECRET).is_ok();
    if taken {
        nothing_else_holds(&request, data);
    }
    if let Some(signed) = signed_anew(request) {
        assert_eq!(holds(&signed, SECRET), Ok(()), "what was signed holds: {signed:?}");
        nothing_else_holds(&signed, data);
    }
    taken
}

/// Whether a request is let in, with the key that its scope asks for.
fn holds(request: &Request, secret: &str) -> Result<(), AuthError> {
    request.with(|head| {
        let presented = present(head)?;
        let secret = SecretBytes::from(secret.to_owned());
        let key = SigningKey::derive(&secret, presented.date(), presented.region(), presented.service());
        verify(head, &presented, &request.body, &key, WALL)
    })
}

/// The request under a signature of ours; none when its query claims to hold one already.
fn signed_anew(mut request: Request) -> Option<Request> {
    let replaced = ["authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];
    request.headers.retain(|(name, _)| !replaced.contains(&name.as_str()));
    if request.values("host").count() != 1 {
        request.headers.retain(|(name, _)| name != "host");
        request.headers.push(("host".to_owned(), b"pawl.internal".to_vec()));
    }
    let unsigned = request.with(|head| present(head).err());
    if unsigned != Some(AuthError::MissingToken) {
        return None;
    }
    let secret = SecretBytes::from(SECRET.to_owned());
    let added = request.with(|head| sign(head, &request.body, ACCESS_KEY_ID, &secret, REGION, SERVICE, WALL));
    request.headers.extend(added.into_iter().map(|(name, value)| (name, value.into_bytes())));
    Some(request)
}

/// Changes each signed part of a request that holds. `data` chooses where.
fn nothing_else_holds(request: &Request, data: &[u8]) {
    let refuse = |what: &str, changed: &Request| {
        assert!(holds(changed, SECRET).is_err(), "{what}: {changed:?} holds as {request:?} does");
    };
    assert!(holds(request, "another secret").is_err(), "another key's signature: {request:?}");

    let method = flipped(request.method.as_bytes(), data);
    if let Some(method) = method.and_then(|bytes| String::from_utf8(bytes).ok()) {
        refuse("method", &Request { method, ..request.clone() });
    }
    if let Some(path) = flipped(request.path.as_bytes(), data).and_then(|bytes| String::from_utf8(bytes).ok())
        && normal_path(&path) != normal_path(&request.path)
    {
        refuse("path", &Request { path, ..request.clone() });
    }
    if let Some(query) =
        flipped(request.query.as_bytes(), data).and_then(|bytes| String::from_utf8(bytes).ok())
        && parameters(&query) != parameters(&request.query)
    {
        refuse("query", &Request { query, ..request.clone() });
    }
    let between = if request.query.is_empty() { "" } else { "&" };
    refuse(
        "a parameter more",
        &Request { query: format!("{}{between}a=b", request.query), ..request.clone() },
    );
    refuse(
        "body",
        &Request { body: flipped(&request.body, data).unwrap_or_else(|| vec![0]), ..request.clone() },
    );
    refuse("a longer body", &Request { body: [&request.body, &b" "[..]].concat(), ..request.clone() });

    let signed = signed_headers(request);
    for (index, (name, value)) in request.headers.iter().enumerate() {
        if !signed.contains(name) && name != "authorization" {
            continue;
        }
        let mut changed = request.clone();
        changed.headers.remove(index);
        refuse("a header less", &changed);
        // An access key's id is not signed: it chooses the key, which is one and the same here.
        let value = if name == "authorization" {
            other_signature(value)
        } else {
            flipped(value, data).filter(|flipped| words(flipped) != words(value))
        };
        if let Some(value) = value {
            changed.headers.insert(index, (name.clone(), value));
            refuse("a header's value", &changed);
        }
    }
    let mut more = request.clone();
    more.headers.push(("x-amz-added-on-the-way".to_owned(), b"1".to_vec()));
    refuse("a header more", &more);
}

/// The bytes with one of them changed; none when there is none.
fn flipped(bytes: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let sum: usize = data.iter().map(|byte| usize::from(*byte)).sum();
    let mut bytes = bytes.to_vec();
    let at = sum.checked_rem(bytes.len())?;
    // A bit below 0x20 keeps ASCII what it is; some bit is always changed.
    let bit = 1 << (sum / 8 % 5);
    *bytes.get_mut(at)? ^= bit;
    Some(bytes)
}

/// An `Authorization` header with another last digit of its signature; none when it does not end in one.
fn other_signature(value: &[u8]) -> Option<Vec<u8>> {
    let mut value = value.to_vec();
    let signature = value.rsplit(|byte| *byte == b'=').next()?;
    if signature.len() != 64 {
        return None;
    }
    let last = value.last_mut()?;
    *last = if *last == b'0' { b'1' } else { b'0' };
    Some(value)
}

/// The names of the headers that a request says are signed.
fn signed_headers(request: &Request) -> Vec<String> {
    let header = request.values("authorization").next().and_then(|value| std::str::from_utf8(value).ok());
    let in_header = header.and_then(|text| {
        let (_, parameters) = text.split_once([' ', '\t'])?;
        parameters.split(',').find_map(|parameter| parameter.trim_ascii().strip_prefix("SignedHeaders="))
    });
    match in_header {
        Some(list) => list.split(';').map(str::to_owned).collect(),
        // Every client presigns with the host alone, and the host is the least that there must be.
        None => vec!["host".to_owned()],
    }
}

/// What a header's value means: blanks at its ends mean nothing, and a run of them is one.
fn words(value: &[u8]) -> Vec<&[u8]> {
    value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect()
}

/// What a query means: its parameters without their escapes, in whatever order.
fn parameters(query: &str) -> Vec<(Vec<u16>, Vec<u16>)> {
    let mut all: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| unescaped(name) != unescaped("X-Amz-Signature"))
        .map(|(name, value)| (unescaped(name), unescaped(value)))
        .collect();
    all.sort();
    all
}

/// The bytes that a text stands for; a raw plus sign is none of them, as clients disagree about it.
fn unescaped(text: &str) -> Vec<u16> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let escape = escape.filter(|pair| pair.bytes().all(|c| c.is_ascii_hexdigit()));
        match (first, escape.and_then(|pair| u16::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            (byte, _) => {
                out.push(if *byte == b'+' { u16::MAX } else { u16::from(*byte) });
                rest = tail;
            }
        }
    }
    out
}
