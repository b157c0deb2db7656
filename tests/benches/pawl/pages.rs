//! Walks a list from its first page to its last, over one connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pawl_tests::pawl::Pawl;
use serde_json::Value;

use crate::load;

/// What a walk came to.
pub(crate) struct Walk {
    /// What each page took.
    pub(crate) times: Vec<Duration>,
    /// Secrets on all of them.
    pub(crate) secrets: usize,
}

/// Walks the list that `body` asks for. `full` is for lists without filters: every page but the last must have all it can.
pub(crate) fn walk(pawl: &Pawl, body: &Value, full: bool) -> Walk {
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let mut stream = TcpStream::connect(pawl.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut body, mut walk) = (body.clone(), Walk { times: Vec::new(), secrets: 0 });
    loop {
        let request = pawl.signed("ListSecrets", &body).bytes(true);
        let from = Instant::now();
        stream.write_all(&request).unwrap();
        let page = answer(&mut stream);
        walk.times.push(from.elapsed());
        // The pages are ten thousand: what is wanted of each is found without reading its JSON.
        let entries = page.matches(ENTRY).count();
        walk.secrets += entries;
        let Some((_, token)) = page.split_once(TOKEN) else { return walk };
        let (token, _) = token.split_once('"').unwrap();
        assert!(!full || body.get("MaxResults") == Some(&Value::from(entries)), "a short page: {entries}");
        body.as_object_mut().unwrap().insert("NextToken".to_owned(), Value::from(token));
    }
}

const ENTRY: &str = "\"ARN\":\"";
const TOKEN: &str = "\"NextToken\":\"";

fn answer(stream: &mut TcpStream) -> String {
    let (mut bytes, mut part) = (Vec::new(), [0; 64 * 1024]);
    while !load::is_whole(&bytes) {
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "the server has closed a connection");
        bytes.extend_from_slice(part.get(..count).unwrap());
    }
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    text
}
