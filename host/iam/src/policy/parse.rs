//! From a text to a policy, as strictly as AWS's grammar ("Grammar of the IAM JSON policy language").

use std::collections::HashSet;

use super::PolicyDocument;
use super::action::ActionPattern;
use super::condition::{Condition, Wanted};
use super::context::is_key;
use super::error::{At, Fault, PolicyError, excerpt};
use super::json::Json;
use super::kind::PolicyKind;
use super::operator::Operator;
use super::resource::ResourcePattern;
use super::statement::{Effect, Selection, Statement};
use super::who::{self, Who};

const DOCUMENT_MEMBERS: &str = "Version, Id, Statement";
const NO_PRINCIPAL: &str = "it is about whom it is attached to";
const NO_RESOURCE: &str = "it is about the role that it is attached to";
const STATEMENT_MEMBERS: &str =
    "Sid, Effect, Principal, NotPrincipal, Action, NotAction, Resource, NotResource, Condition";

pub(super) fn document(text: &str, kind: PolicyKind) -> Result<PolicyDocument, PolicyError> {
    let at = At::DOCUMENT;
    let chars = text.chars().count();
    if chars > kind.chars_max() {
        return Err(at.fault(Fault::TooLong(chars, kind.chars_max())));
    }
    let json = Json::parse(text)?;
    let members = object(&json, "an object", &at)?;
    let (mut version, mut statements) = (None, None);
    for (name, value) in members {
        let at = at.member(name);
        match name.as_str() {
            "Version" => version = Some(self::version(string(value, &at)?, &at)?),
            "Id" => {
                string(value, &at)?;
            }
            "Statement" => statements = Some(value),
            _ => return Err(At::DOCUMENT.fault(Fault::UnknownMember(excerpt(name), DOCUMENT_MEMBERS))),
        }
    }
    let statements = statements.ok_or_else(|| at.fault(Fault::Missing("Statement")))?;
    let at = at.member("Statement");
    if statements.items().is_empty() {
        return Err(at.fault(Fault::Empty));
    }
    // Without a version it is the old one.
    let dialect = Dialect { kind, variables: version == Some(Version::Of2012) };
    let mut sids = HashSet::new();
    let mut parsed = Vec::new();
    for (index, value) in statements.items().iter().enumerate() {
        let at = at.index(index);
        let statement = statement(value, dialect, &at)?;
        if let Some(sid) = &statement.sid
            && !sids.insert(sid.clone())
        {
            return Err(at.member("Sid").fault(Fault::SidTwice(excerpt(sid))));
        }
        parsed.push(statement);
    }
    let has_unread_variables = !dialect.variables && text.contains("${");
    Ok(PolicyDocument {
        kind,
        statements: parsed.into(),
        is_of_2012: dialect.variables,
        has_unread_variables,
    })
}

/// What the document as a whole says about the reading of its parts.
#[derive(Clone, Copy)]
struct Dialect {
    kind: PolicyKind,
    /// `${key}` is a variable.
    variables: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Of2008,
    Of2012,
}

fn version(text: &str, at: &At<'_>) -> Result<Version, PolicyError> {
    match text {
        "2012-10-17" => Ok(Version::Of2012),
        "2008-10-17" => Ok(Version::Of2008),
        other => Err(at.fault(Fault::Version(excerpt(other)))),
    }
}

/// The members of a statement that were there.
#[derive(Default)]
struct Members<'j> {
    sid: Option<&'j Json>,
    effect: Option<&'j Json>,
    principal: Option<&'j Json>,
    not_principal: Option<&'j Json>,
    action: Option<&'j Json>,
    not_action: Option<&'j Json>,
    resource: Option<&'j Json>,
    not_resource: Option<&'j Json>,
    condition: Option<&'j Json>,
}

fn members<'j>(value: &'j Json, at: &At<'_>) -> Result<Members<'j>, PolicyError> {
    let mut members = Members::default();
    for (name, value) in object(value, "an object, or a list of objects", at)? {
        let member = match name.as_str() {
            "Sid" => &mut members.sid,
            "Effect" => &mut members.effect,
            "Principal" => &mut members.principal,
            "NotPrincipal" => &mut members.not_principal,
            "Action" => &mut members.action,
            "NotAction" => &mut members.not_action,
            "Resource" => &mut members.resource,
            "NotResource" => &mut members.not_resource,
            "Condition" => &mut members.condition,
            _ => return Err(at.fault(Fault::UnknownMember(excerpt(name), STATEMENT_MEMBERS))),
        };
        *member = Some(value);
    }
    Ok(members)
}

fn statement(value: &Json, dialect: Dialect, at: &At<'_>) -> Result<Statement, PolicyError> {
    let Dialect { kind, variables } = dialect;
    let members = members(value, at)?;
    let sid = members.sid.map(|value| sid(value, kind, &at.member("Sid"))).transpose()?;
    let effect = members.effect.ok_or_else(|| at.fault(Fault::Missing("Effect")))?;
    let effect = self::effect(effect, &at.member("Effect"))?;
    let who = who(&members, kind, effect, at)?;
    let action = |text: &str| ActionPattern::parse(text, kind);
    let actions = selection(members.action, members.not_action, ("Action", "NotAction"), at, action)?;
    let resources = resources(&members, dialect, at)?;
    let conditions = match members.condition {
        Some(value) => conditions(value, variables, &at.member("Condition"))?,
        None => Box::default(),
    };
    Ok(Statement { sid, effect, who, actions, resources, conditions })
}

fn who(members: &Members<'_>, kind: PolicyKind, effect: Effect, at: &At<'_>) -> Result<Who, PolicyError> {
    if kind == PolicyKind::Identity {
        let there = |member: Option<&Json>, name| member.map(|_| Fault::Prohibited(name, NO_PRINCIPAL));
        let fault = there(members.principal, "Principal").or(there(members.not_principal, "NotPrincipal"));
        return fault.map_or(Ok(Who::Bearer), |fault| Err(at.fault(fault)));
    }
    match one_of(members.principal, members.not_principal, ("Principal", "NotPrincipal"), at)? {
        (value, false) => Ok(Who::Only(who::parse(value, &at.member("Principal"))?)),
        (_, true) if effect == Effect::Allow => Err(at.fault(Fault::NotPrincipalAllows)),
        (value, true) => Ok(Who::AllBut(who::parse(value, &at.member("NotPrincipal"))?)),
    }
}

fn resources(
    members: &Members<'_>,
    dialect: Dialect,
    at: &At<'_>,
) -> Result<Selection<ResourcePattern>, PolicyError> {
    let Dialect { kind, variables } = dialect;
    if kind == PolicyKind::Trust {
        let there = |member: Option<&Json>, name| member.map(|_| Fault::Prohibited(name, NO_RESOURCE));
        let fault = there(members.resource, "Resource").or(there(members.not_resource, "NotResource"));
        return match fault {
            Some(fault) => Err(at.fault(fault)),
            None => Ok(Selection { items: Box::default(), is_negated: true }),
        };
    }
    let read = |text: &str| ResourcePattern::parse(text, variables);
    selection(members.resource, members.not_resource, ("Resource", "NotResource"), at, read)
}

fn sid(value: &Json, kind: PolicyKind, at: &At<'_>) -> Result<Box<str>, PolicyError> {
    let text = string(value, at)?;
    if text.chars().all(|c| c.is_ascii_alphanumeric() || kind.sid_may_hold(c)) {
        Ok(text.into())
    } else {
        Err(at.fault(Fault::Sid(excerpt(text))))
    }
}

fn effect(value: &Json, at: &At<'_>) -> Result<Effect, PolicyError> {
    match string(value, at)? {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => Err(at.fault(Fault::Effect(excerpt(other)))),
    }
}

/// The one of two members that is there, and whether it is the second.
fn one_of<'j>(
    plain: Option<&'j Json>,
    negated: Option<&'j Json>,
    names: (&'static str, &'static str),
    at: &At<'_>,
) -> Result<(&'j Json, bool), PolicyError> {
    match (plain, negated) {
        (Some(value), None) => Ok((value, false)),
        (None, Some(value)) => Ok((value, true)),
        (Some(_), Some(_)) => Err(at.fault(Fault::Both(names.0, names.1))),
        (None, None) => Err(at.fault(Fault::Missing(names.0))),
    }
}

fn selection<T>(
    plain: Option<&Json>,
    negated: Option<&Json>,
    names: (&'static str, &'static str),
    at: &At<'_>,
    read: impl Fn(&str) -> Result<T, Fault>,
) -> Result<Selection<T>, PolicyError> {
    let (value, is_negated) = one_of(plain, negated, names, at)?;
    let at = at.member(if is_negated { names.1 } else { names.0 });
    if value.items().is_empty() {
        return Err(at.fault(Fault::Empty));
    }
    let items = value.items().iter().enumerate().map(|(index, item)| {
        let at = item_place(value, index, &at);
        read(string(item, &at)?).map_err(|fault| at.fault(fault))
    });
    Ok(Selection { items: items.collect::<Result<_, _>>()?, is_negated })
}

fn conditions(value: &Json, variables: bool, at: &At<'_>) -> Result<Box<[Condition]>, PolicyError> {
    let mut conditions = Vec::new();
    let mut operators = HashSet::new();
    for (name, keys) in object(value, "an object of operators", at)? {
        let place = at.member(name);
        let operator = Operator::parse(name).map_err(|fault| at.fault(fault))?;
        if !operators.insert(name.to_ascii_lowercase()) {
            return Err(place.fault(Fault::TwiceInOtherCase(excerpt(name))));
        }
        let mut seen = HashSet::new();
        for (key, values) in object(keys, "an object of keys and values", &place)? {
            if !is_key(key) {
                return Err(place.fault(Fault::ConditionKey(excerpt(key))));
            }
            if !seen.insert(key.to_ascii_lowercase()) {
                return Err(place.fault(Fault::TwiceInOtherCase(excerpt(key))));
            }
            let place = place.member(key);
            let wanted = wanted(operator, values, variables, &place)?;
            conditions.push(Condition { operator, key: key.as_str().into(), wanted });
        }
    }
    Ok(conditions.into())
}

fn wanted(operator: Operator, values: &Json, variables: bool, at: &At<'_>) -> Result<Wanted, PolicyError> {
    let read = |(index, value): (usize, &Json)| match value {
        Json::Text(text) | Json::Number(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        other => {
            let expected = "a string, a number or a boolean";
            Err(item_place(values, index, at).fault(Fault::Kind { expected, found: other.kind() }))
        }
    };
    let texts: Vec<String> = values.items().iter().enumerate().map(read).collect::<Result<_, _>>()?;
    if texts.is_empty() {
        return Err(at.fault(Fault::Empty));
    }
    Wanted::parse(operator, &texts, variables)
        .map_err(|(index, fault)| item_place(values, index, at).fault(fault))
}

/// The place of an item: that of the list's, or of what stands alone.
fn item_place<'a>(value: &Json, index: usize, at: &'a At<'a>) -> At<'a> {
    if matches!(value, Json::List(_)) { at.index(index) } else { *at }
}

fn object<'j>(
    value: &'j Json,
    expected: &'static str,
    at: &At<'_>,
) -> Result<&'j [(String, Json)], PolicyError> {
    match value {
        Json::Object(members) => Ok(members),
        other => Err(at.fault(Fault::Kind { expected, found: other.kind() })),
    }
}

fn string<'j>(value: &'j Json, at: &At<'_>) -> Result<&'j str, PolicyError> {
    match value {
        Json::Text(text) => Ok(text),
        other => Err(at.fault(Fault::Kind { expected: "a string", found: other.kind() })),
    }
}
