//! Why a text is no policy, and where.

use std::fmt;

use pawl_core::limits;

use super::kind::PolicyKind;

/// Why a text is no policy. `Display` is for the policy's author: the place, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct PolicyError {
    place: Place,
    fault: Fault,
}

impl PolicyError {
    pub(super) const fn new(place: Place, fault: Fault) -> Self {
        Self { place, fault }
    }

    /// Where the fault is.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }

    /// What IAM says of it (`MalformedPolicyDocument`), in AWS's words as far as they are known. They have no place.
    #[must_use]
    pub fn sentence(&self, kind: PolicyKind) -> String {
        super::sentence::of(&self.fault, kind)
    }
}

/// A place in a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line and a column of the text, both from 1, where it is not JSON.
    Text {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// A path to an element: `Statement[1].Effect`.
    Element(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { line, column } => write!(f, "line {line}, column {column}"),
            Self::Element(path) if path.is_empty() => f.write_str("the document"),
            Self::Element(path) => f.write_str(path),
        }
    }
}

/// What can be wrong with a policy. What of the text is repeated is cut short and escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not JSON, or a member is there twice.
    #[error("{0}")]
    Syntax(String),
    /// Longer than any policy may be.
    #[error("has {0} characters, {1} are the most")]
    TooLong(usize, usize),
    /// Another kind of JSON value than can stand there.
    #[error("must be {expected}, not {found}")]
    Kind {
        /// What can stand there.
        expected: &'static str,
        /// What does.
        found: &'static str,
    },
    /// A member that the language does not have.
    #[error("has no member {0}; names are case-sensitive, and these can stand here: {1}")]
    UnknownMember(String, &'static str),
    /// A member that must be there.
    #[error("needs {0}")]
    Missing(&'static str),
    /// Two members of which one can be there.
    #[error("has both {0} and {1}; one of them can be there")]
    Both(&'static str, &'static str),
    /// A list with nothing in it.
    #[error("must name at least one")]
    Empty,
    /// Not a version of the language.
    #[error("must be \"2012-10-17\" or \"2008-10-17\", not {0}")]
    Version(String),
    /// Neither Allow nor Deny.
    #[error("must be \"Allow\" or \"Deny\", not {0}")]
    Effect(String),
    /// A Sid with something else than letters and digits in it.
    #[error("must be of the letters a-z, A-Z and the digits 0-9, which {0} is not")]
    Sid(String),
    /// A Sid that another statement has.
    #[error("{0} is another statement's Sid too; each must be unique")]
    SidTwice(String),
    /// An Allow for everyone but some.
    #[error(
        "NotPrincipal can stand with \"Effect\": \"Deny\" only; with Allow it would let in everyone else"
    )]
    NotPrincipalAllows,
    /// Not an action.
    #[error("{0} is not an action; write {1}:NAME, where NAME may hold * and ?, or * alone")]
    Action(String, &'static str),
    /// Another service's action.
    #[error("{0} is not an action of {1}; this policy can hold no other service's")]
    ForeignAction(String, &'static str),
    /// A member that policies of this kind do not have.
    #[error("has {0}, which this policy cannot have: {1}")]
    Prohibited(&'static str, &'static str),
    /// A principal that stands neither for everyone nor for a list of some.
    #[error("must be \"*\" or an object with AWS, Service, Federated or CanonicalUser, not {0}")]
    Principal(String),
    /// Not a principal of AWS.
    #[error(
        "{0} is not a principal; write \"*\", an account of 12 digits, or the ARN of an account's root, a user, a role \
         or a session (arn:aws:iam::ACCOUNT:role/NAME)"
    )]
    AwsPrincipal(String),
    /// A wildcard that stands for a part of a name.
    #[error(
        "{0} has a wildcard within; a principal is \"*\" or whole. To admit by pattern, write \"*\" and a condition on \
         aws:PrincipalArn"
    )]
    PrincipalWildcard(String),
    /// Not a service, a provider or a canonical user.
    #[error("{0} is not the name of {1}")]
    OtherPrincipal(String, &'static str),
    /// Not a resource.
    #[error("{0} is not a resource; write \"*\" or an ARN, which may hold * and ?")]
    Resource(String),
    /// A condition's operator that the language does not have.
    #[error("{0} is not an operator of conditions")]
    Operator(String),
    /// `Null` with a prefix or a suffix that it cannot have.
    #[error("{0}: Null takes neither IfExists nor ForAllValues nor ForAnyValue")]
    NullVariant(String),
    /// Two names that differ in case only.
    #[error("{0} is there twice, in different case")]
    TwiceInOtherCase(String),
    /// Not a condition's key.
    #[error("{0} is not a key of conditions; write aws:NAME or SERVICE:NAME")]
    ConditionKey(String),
    /// A value that the operator cannot compare with.
    #[error("{0} is not {1}, which the operator compares with")]
    ConditionValue(String, &'static str),
    /// A variable that does not end.
    #[error("in {0} a variable begins with ${{ and does not end with }}")]
    VariableUnclosed(String),
    /// A variable's name that is not one.
    #[error("in {0} a variable has no proper name; write ${{aws:username}} or ${{aws:username, 'default'}}")]
    VariableName(String),
}

/// A part of the author's text, quoted, escaped and cut short.
pub(super) fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(limits::POLICY_EXCERPT_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push_str("..");
    }
    format!("{shown:?}")
}

/// The way from the document to the element that is being read.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Document,
    Member(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    pub(super) const DOCUMENT: At<'static> = At { parent: None, step: Step::Document };

    pub(super) const fn member(&'a self, name: &'a str) -> Self {
        At { parent: Some(self), step: Step::Member(name) }
    }

    pub(super) const fn index(&'a self, index: usize) -> Self {
        At { parent: Some(self), step: Step::Index(index) }
    }

    pub(super) fn fault(&self, fault: Fault) -> PolicyError {
        let mut path = String::new();
        self.render(&mut path);
        PolicyError::new(Place::Element(path), fault)
    }

    /// The document is eight deep at most.
    fn render(&self, path: &mut String) {
        if let Some(parent) = self.parent {
            parent.render(path);
        }
        match self.step {
            Step::Document => {}
            Step::Member(name) if name.bytes().all(|c| c.is_ascii_alphanumeric()) && !name.is_empty() => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Step::Member(name) => {
                path.push('[');
                path.push_str(&excerpt(name));
                path.push(']');
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
}
