//! Rotates an API key: a new one is made, by the host or by the service, and asked with before it is promoted.
//!
//! Where the host makes it, it is given to the service with the key that works. Where the service makes it (`HTTP_CREATE_URL`), it is
//! asked for with the key that works, and taken from the answer without being seen here.
//!
//! What the service looks like is the operator's to say, in the function's environment (docs/http-rotators.md):
//!
//! | variable | what it is | without it |
//! |---|---|---|
//! | `HTTP_SET_URL` | where the new key is put; `{username}`, `{host}`, `{port}`, `{dbname}` are the secret's fields | needed, or the next |
//! | `HTTP_CREATE_URL` | where the service is asked for a new key | the host makes it |
//! | `HTTP_CREATE_METHOD` | by which method | `POST` |
//! | `HTTP_CREATE_BODY` | the body, of the type `HTTP_SET_TYPE` | `{}` |
//! | `HTTP_CREATE_KEY` | where in the answer the key is: `json:` and a pointer, or `header:` and a name | `json:/key` |
//! | `HTTP_REVOKE_URL` | where the key before the current one is taken back, with itself | it is left as it is |
//! | `HTTP_REVOKE_METHOD` | by which method | `DELETE` |
//! | `HTTP_SET_METHOD` | by which method | `PUT` |
//! | `HTTP_SET_TYPE` | the body's type | `application/json` |
//! | `HTTP_SET_BODY` | the body; `{new}` is the new key, written as the type wants it | `{"key": "{new}"}` |
//! | `HTTP_TEST_URL` | what a GET with a valid key is answered 2xx at | `HTTP_SET_URL` or `HTTP_CREATE_URL` |
//! | `HTTP_KEY_FIELD` | the secret's field with the key | `api_key` |
//! | `HTTP_KEY_HEADER` | the header field that carries it | `authorization` |
//! | `HTTP_KEY_PREFIX` | what stands before it there | `Bearer `, in `authorization`; else nothing |
//! | `HTTP_IDEMPOTENCY_HEADER` | the header field for the rotation's id | none is sent |
//!
//! Every step may run again. Setting asks with the new key first, if the service may have it: an answer that was lost is found out
//! so. It is then set with the first known key that the service takes, which heals a service that has an older one.

use pawl_guest::http::{Place, Request, Status, Text};
use pawl_guest::{Failure, Rotation, Rotator, Rules, Sensitive, Version, configuration, export};

/// Characters of a new key, unless the environment says otherwise (`PASSWORD_LENGTH`).
const LENGTH: u32 = 40;
/// Fields of the secret that may stand in a URL.
const FIELDS: [&str; 4] = ["username", "host", "port", "dbname"];
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

struct ApiKey;

impl Rotator for ApiKey {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        if is_made_there() {
            return make_there(rotation);
        }
        let rules = Rules { length: Some(LENGTH), exclude_punctuation: Some(true), ..Rules::default() };
        rotation.create_pending(|current| Ok(current.with(&key_field(), rotation.random_password(&rules)?)))
    }

    fn set(rotation: &Rotation) -> Result<(), Failure> {
        let (current, pending) = (rotation.current()?, rotation.pending()?);
        let new = pending.sensitive(&key_field())?;
        if is_made_there() {
            // The service has it already. It may need a while until it knows that.
            return match ask(&current, &new)? {
                status if status.is_refusal() => Err(Failure::Transient(format!(
                    "the service does not know its new key yet: status {status}"
                ))),
                status => status.success("asking with the new key"),
            };
        }
        if rotation.exposed()? && is_taken(&current, &new)? {
            return Ok(());
        }
        let older = rotation.previous()?.into_iter().chain(rotation.others()?);
        let mut last = None;
        let place = url("HTTP_SET_URL", &current)?;
        for version in std::iter::once(current).chain(older) {
            let Some(key) = version.find_sensitive(&key_field()) else { continue };
            let status = set(rotation, &place, &key, &new)?;
            if !status.is_refusal() {
                return status.success("setting the new key");
            }
            last = Some(status);
        }
        // A request of an earlier try, whose host is dead, may have taken effect between the first question and the others.
        if is_taken(&rotation.current()?, &new)? {
            return Ok(());
        }
        match last {
            Some(status) => status.success("setting the new key, with every key that is known"),
            None => {
                Err(Failure::Permanent(format!("no version of the secret has the field `{}`", key_field())))
            }
        }
    }

    fn test(rotation: &Rotation) -> Result<(), Failure> {
        let pending = rotation.pending()?;
        ask(&pending, &pending.sensitive(&key_field())?)?.success("asking with the new key")
    }

    fn finish(rotation: &Rotation) -> Result<(), Failure> {
        // Once it is promoted, AWSPREVIOUS is the key that applications may still have.
        if configuration("HTTP_REVOKE_URL").is_some() && rotation.current()?.id() != rotation.id() {
            revoke(rotation)?;
        }
        Ok(rotation.promote()?)
    }
}

fn is_made_there() -> bool {
    configuration("HTTP_CREATE_URL").is_some()
}

/// Has the service make a key, in the name of the first known one that it takes.
fn make_there(rotation: &Rotation) -> Result<(), Failure> {
    if rotation.find_pending()?.is_some() {
        return Ok(());
    }
    let place = or("HTTP_CREATE_KEY", "json:/key");
    let place = match place.split_once(':') {
        Some(("json", pointer)) => Place::Json(pointer),
        Some(("header", name)) => Place::Header(name),
        _ => {
            return Err(Failure::Permanent(format!(
                "HTTP_CREATE_KEY is `{place}`, and no place in an answer"
            )));
        }
    };
    let current = rotation.current()?;
    let target = url("HTTP_CREATE_URL", &current)?;
    let older = rotation.previous()?.into_iter().chain(rotation.others()?);
    let mut last = None;
    for version in std::iter::once(current).chain(older) {
        let Some(key) = version.find_sensitive(&key_field()) else { continue };
        let mut request = Request::new(or("HTTP_CREATE_METHOD", "POST"), &target)
            .header(&key_header(), authorized(&key))
            .body(&or("HTTP_SET_TYPE", JSON), or("HTTP_CREATE_BODY", "{}"));
        if let Some(header) = configuration("HTTP_IDEMPOTENCY_HEADER") {
            request = request.header(&header, rotation.id());
        }
        let made = request.capture(&[place])?;
        if !made.status.is_refusal() {
            let new = made.key("asking for a new key")?;
            rotation.put_pending(&rotation.current()?.with(&key_field(), new))?;
            return Ok(());
        }
        last = Some(made.status);
    }
    match last {
        Some(status) => status.success("asking for a new key, with every key that is known"),
        None => Err(Failure::Permanent(format!("no version of the secret has the field `{}`", key_field()))),
    }
}

/// Takes back the key that was current before the present one: nobody should have it any more.
fn revoke(rotation: &Rotation) -> Result<(), Failure> {
    let Some(version) = rotation.previous()? else { return Ok(()) };
    let Some(key) = version.find_sensitive(&key_field()) else { return Ok(()) };
    let method = or("HTTP_REVOKE_METHOD", "DELETE");
    let status = Request::new(method, url("HTTP_REVOKE_URL", &version)?)
        .header(&key_header(), authorized(&key))
        .status()?;
    // Gone already: by an earlier try, or by somebody's hand.
    if status.is_refusal() || matches!(status.code(), 404 | 410) {
        return Ok(());
    }
    status.success("taking back the key before the current one")
}

/// Whether the service takes a key. What is neither yes nor no is an error.
fn is_taken(version: &Version, key: &Sensitive) -> Result<bool, Failure> {
    let status = ask(version, key)?;
    if status.is_refusal() {
        return Ok(false);
    }
    status.success("asking with the new key").map(|()| true)
}

/// Asks the service something that needs a valid key and changes nothing.
fn ask(version: &Version, key: &Sensitive) -> Result<Status, Failure> {
    let names = ["HTTP_TEST_URL", "HTTP_SET_URL"];
    let name = names.into_iter().find(|name| configuration(name).is_some()).unwrap_or("HTTP_CREATE_URL");
    Ok(Request::get(url(name, version)?).header(&key_header(), authorized(key)).status()?)
}

/// Gives the service the new key, in the name of another one.
fn set(rotation: &Rotation, place: &str, key: &Sensitive, new: &Sensitive) -> Result<Status, Failure> {
    let kind = or("HTTP_SET_TYPE", JSON);
    let template = or("HTTP_SET_BODY", r#"{"key": "{new}"}"#);
    let mut body = Text::new();
    for (place, piece) in template.split("{new}").enumerate() {
        if place > 0 {
            body = match kind.as_str() {
                JSON => body.json(new),
                FORM => body.percent(new),
                _ => body.sensitive(new),
            };
        }
        body = body.text(piece);
    }
    let mut request = Request::new(or("HTTP_SET_METHOD", "PUT"), place)
        .header(&key_header(), authorized(key))
        .body(&kind, body);
    if let Some(header) = configuration("HTTP_IDEMPOTENCY_HEADER") {
        request = request.header(&header, rotation.id());
    }
    Ok(request.status()?)
}

fn key_field() -> String {
    or("HTTP_KEY_FIELD", "api_key")
}

fn key_header() -> String {
    or("HTTP_KEY_HEADER", "authorization")
}

fn authorized(key: &Sensitive) -> Text<'_> {
    let usual = if key_header() == "authorization" { "Bearer " } else { "" };
    Text::from(or("HTTP_KEY_PREFIX", usual)).sensitive(key)
}

/// A URL of the environment, with the secret's fields in it.
fn url(name: &str, version: &Version) -> Result<String, Failure> {
    let missing = || Failure::Permanent(format!("the function's environment has no {name}"));
    let mut url = configuration(name).ok_or_else(missing)?;
    for field in FIELDS {
        let place = format!("{{{field}}}");
        if url.contains(&place) {
            url = url.replace(&place, &encoded(&version.text(field)?));
        }
    }
    Ok(url)
}

/// Percent-encoded, so that a field cannot be more than a part of one segment.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn or(name: &str, usual: &str) -> String {
    configuration(name).unwrap_or_else(|| usual.to_owned())
}

export!(ApiKey);
