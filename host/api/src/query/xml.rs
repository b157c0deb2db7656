//! Answers and errors as XML.

use std::borrow::Cow;

use pawl_core::limits;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use super::wire::wire;
use crate::error::ApiError;

/// A part of an answer: a name, and a text or parts of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    name: Cow<'static, str>,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Text(String),
    Nodes(Vec<Node>),
}

impl Node {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Nodes(_) => None,
        }
    }

    /// Its parts, if it has any.
    #[must_use]
    pub fn as_nodes(&self) -> Option<&[Node]> {
        match &self.content {
            Content::Text(_) => None,
            Content::Nodes(nodes) => Some(nodes),
        }
    }
}

/// A text.
#[must_use]
#[expect(
    clippy::needless_pass_by_value,
    reason = "texts, numbers and what is formatted on the spot come alike"
)]
pub fn text(name: &'static str, value: impl ToString) -> Node {
    Node { name: Cow::Borrowed(name), content: Content::Text(value.to_string()) }
}

/// A text, where there is one.
#[must_use]
pub fn maybe(name: &'static str, value: Option<impl ToString>) -> Option<Node> {
    value.map(|value| text(name, value))
}

/// A number.
#[must_use]
pub fn number(name: &'static str, value: usize) -> Node {
    text(name, value)
}

/// A yes or no.
#[must_use]
pub fn flag(name: &'static str, value: bool) -> Node {
    text(name, value)
}

/// Parts under a name.
#[must_use]
pub fn group(name: &'static str, nodes: impl IntoIterator<Item = Node>) -> Node {
    Node { name: Cow::Borrowed(name), content: Content::Nodes(nodes.into_iter().collect()) }
}

/// A list: each of its members is a `member`.
#[must_use]
pub fn list<M: IntoIterator<Item = Node>>(name: &'static str, members: impl IntoIterator<Item = M>) -> Node {
    group(name, members.into_iter().map(|member| group("member", member)))
}

/// What RFC 3986 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The text of a policy, as IAM answers it: encoded as in a URL.
#[must_use]
pub fn encoded(name: &'static str, document: &str) -> Node {
    text(name, utf8_percent_encode(document, RESERVED))
}

impl Node {
    /// A text as a member of a list.
    #[must_use]
    pub fn member(value: impl ToString) -> Self {
        text("member", value)
    }

    fn write(&self, namespace: Option<&str>, to: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let start = BytesStart::new(&*self.name).with_attributes(namespace.map(|value| ("xmlns", value)));
        to.write_event(Event::Start(start))?;
        match &self.content {
            Content::Text(value) => to.write_event(Event::Text(BytesText::new(&legal(value))))?,
            Content::Nodes(nodes) => nodes.iter().try_for_each(|node| node.write(None, to))?,
        }
        to.write_event(Event::End(BytesEnd::new(&*self.name)))
    }
}

/// XML has no form at all for most control characters.
fn legal(text: &str) -> String {
    let has = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if has(c) { c } else { '\u{fffd}' }).collect()
}

/// Writes parts under a root element with a namespace.
fn document(root: String, namespace: &str, nodes: Vec<Node>) -> Vec<u8> {
    let root = Node { name: Cow::Owned(root), content: Content::Nodes(nodes) };
    // Room for most answers: growing would leave copies of a secret access key behind.
    let mut writer = Writer::new(Vec::with_capacity(limits::QUERY_ANSWER_BYTES));
    let written = root.write(Some(namespace), &mut writer);
    // A vector takes everything.
    debug_assert!(written.is_ok());
    writer.into_inner()
}

/// The body of an operation's answer. One that answers nothing has no result.
#[must_use]
pub fn answer(operation: &str, namespace: &str, result: Option<Vec<Node>>, request_id: &str) -> Vec<u8> {
    let named = Cow::Owned(format!("{operation}Result"));
    let result = result.map(|nodes| Node { name: named, content: Content::Nodes(nodes) });
    let metadata = group("ResponseMetadata", [text("RequestId", request_id)]);
    document(format!("{operation}Response"), namespace, result.into_iter().chain([metadata]).collect())
}

/// The body of an error.
#[must_use]
pub fn refusal(error: &ApiError, namespace: &str, request_id: &str) -> Vec<u8> {
    let wire = wire(error.code);
    let fault = if wire.status < 500 { "Sender" } else { "Receiver" };
    let error =
        group("Error", [text("Type", fault), text("Code", wire.code), text("Message", &error.message)]);
    document("ErrorResponse".to_owned(), namespace, vec![error, text("RequestId", request_id)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn body(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn answers_have_the_form_of_aws() {
        let users = list("Users", [vec![text("UserName", "a<b&c"), text("Path", "/")]]);
        let keys = group("Keys", [Node::member("k")]);
        let policy = encoded("PolicyDocument", "{\"a\": \"é~\"}\n");
        let answer = answer(
            "ListUsers",
            "https://n/",
            Some(vec![users, keys, policy, flag("IsTruncated", false)]),
            "id",
        );
        assert_eq!(
            body(answer),
            "<ListUsersResponse xmlns=\"https://n/\"><ListUsersResult><Users><member><UserName>a&lt;b&amp;c</UserName>\
             <Path>/</Path></member></Users><Keys><member>k</member></Keys><PolicyDocument>%7B%22a%22%3A%20%22%C3%A9~%22\
             %7D%0A</PolicyDocument><IsTruncated>false</IsTruncated></ListUsersResult><ResponseMetadata><RequestId>id\
             </RequestId></ResponseMetadata></ListUsersResponse>"
        );
        let nothing = "<DeleteUserResponse xmlns=\"n\"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata>\
                       </DeleteUserResponse>";
        assert_eq!(body(super::answer("DeleteUser", "n", None, "id")), nothing);
    }

    #[test]
    fn errors_have_the_form_of_aws() {
        let error = ApiError::new(ErrorCode::NoSuchEntity, "no\u{0}ne");
        assert_eq!(
            body(refusal(&error, "n", "id")),
            "<ErrorResponse xmlns=\"n\"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>no\u{fffd}ne</Message>\
             </Error><RequestId>id</RequestId></ErrorResponse>"
        );
        let own = refusal(&ApiError::internal(), "n", "id");
        assert!(body(own).contains("<Type>Receiver</Type><Code>ServiceFailure</Code>"));
    }
}
