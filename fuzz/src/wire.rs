//! A request as text: the request line without its version, headers, an empty line, the body.

use std::str;

use pawl_iam::sigv4::Head;

/// A request taken apart. Nothing of it is tidied but the case of headers' names, which HTTP's parser lowers.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Nothing when HTTP's parser would not have let it through.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let mut rest = data;
        let (method, target) = str::from_utf8(line(&mut rest)).ok()?.split_once(' ')?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = Vec::new();
        while !rest.is_empty() {
            let text = line(&mut rest);
            if text.is_empty() {
                break;
            }
            let colon = text.iter().position(|byte| *byte == b':')?;
            let (name, value) = text.split_at(colon);
            let name = str::from_utf8(name).ok().filter(|name| is_token(name))?;
            headers.push((name.to_ascii_lowercase(), value.get(1..)?.trim_ascii().to_vec()));
        }
        let is_target = |text: &str| text.bytes().all(|byte| byte > b' ' && byte != 0x7f);
        let whole = is_token(method) && is_target(target);
        whole.then(|| Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: rest.to_vec(),
        })
    }

    /// Hands the request over as the product takes it.
    pub(crate) fn with<T>(&self, then: impl FnOnce(&Head<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        then(&Head { method: &self.method, path: &self.path, query: &self.query, headers: &headers })
    }

    /// The values of a header.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(held, _)| held == name).map(|(_, value)| value.as_slice())
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (line, tail) = rest.split_at(end);
    *rest = tail.get(1..).unwrap_or_default();
    line
}

/// RFC 9110's token: what a method and a header's name are made of.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c))
}
