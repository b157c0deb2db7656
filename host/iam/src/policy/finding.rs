//! What is wrong with a policy that can be read.

use std::fmt;

use super::condition::Condition;
use super::kind::PolicyKind;
use super::operator::{Comparison, Quantifier};
use super::statement::{Effect, Statement};
use super::who::{Name, Who};
use super::{AccessRequest, PolicyDocument, PolicyError, StatementName, Verdict};

/// One thing that is wrong: AWS's `ValidationErrorsEntry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// The place, and what is wrong there.
    pub message: String,
}

/// What is looked at. The first three are AWS's for `ValidateResourcePolicy`, and with them validation fails; the others
/// are advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It cannot be read.
    Syntax,
    /// It lets in everyone.
    PublicAccess,
    /// Whoever puts it there could not change it any more.
    LockOut,
    /// A statement names no action that there is.
    UnknownAction,
    /// A statement names a resource that no secret, or not this one, can be.
    UnmatchedResource,
    /// A condition asks for a key that nothing fills.
    UnknownConditionKey,
    /// `NotPrincipal` names somebody and not his account, or his role, and so exempts nobody.
    IncompleteNotPrincipal,
    /// An Allow that holds where the key has no value.
    AllowsWithoutValue,
    /// A text that looks like a variable, in a version without any.
    VariableInOldVersion,
}

impl Check {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "SYNTAX",
            Self::PublicAccess => "PUBLIC_ACCESS",
            Self::LockOut => "LOCK_OUT",
            Self::UnknownAction => "UNKNOWN_ACTION",
            Self::UnmatchedResource => "UNMATCHED_RESOURCE",
            Self::UnknownConditionKey => "UNKNOWN_CONDITION_KEY",
            Self::IncompleteNotPrincipal => "INCOMPLETE_NOT_PRINCIPAL",
            Self::AllowsWithoutValue => "ALLOWS_WITHOUT_VALUE",
            Self::VariableInOldVersion => "VARIABLE_IN_OLD_VERSION",
        }
    }

    /// Whether validation fails with it.
    #[must_use]
    pub const fn fails(self) -> bool {
        matches!(self, Self::Syntax | Self::PublicAccess | Self::LockOut)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<&PolicyError> for Finding {
    fn from(error: &PolicyError) -> Self {
        Self { check: Check::Syntax, message: error.to_string() }
    }
}

/// Keys of conditions that Secrets Manager fills (service authorization reference, "AWS Secrets Manager").
const SERVICE_KEYS: [&str; 20] = [
    "secretsmanager:AddReplicaRegions",
    "secretsmanager:BlockPublicPolicy",
    "secretsmanager:Description",
    "secretsmanager:ForceDeleteWithoutRecovery",
    "secretsmanager:ForceOverwriteReplicaSecret",
    "secretsmanager:KmsKeyArn",
    "secretsmanager:KmsKeyId",
    "secretsmanager:ModifyRotationRules",
    "secretsmanager:Name",
    "secretsmanager:RecoveryWindowInDays",
    "secretsmanager:resource/AllowRotationLambdaArn",
    "secretsmanager:RotateImmediately",
    "secretsmanager:RotationLambdaARN",
    "secretsmanager:SecretId",
    "secretsmanager:SecretPrimaryRegion",
    "secretsmanager:Type",
    "secretsmanager:VersionId",
    "secretsmanager:VersionStage",
    "secretsmanager:ResourceTag/",
    "secretsmanager:ExternalSecretRotationRoleArn",
];

/// Actions with which a policy that locks out can be mended.
const MENDING: [&str; 2] = ["secretsmanager:PutResourcePolicy", "secretsmanager:DeleteResourcePolicy"];

pub(super) fn all(document: &PolicyDocument, author: Option<&AccessRequest<'_>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |check, message| findings.push(Finding { check, message });
    if let Some(by) = document.public_statement() {
        let message = format!(
            "{by}: lets in everyone; name the principals, or add a condition that says who they are, such as \
             aws:PrincipalOrgID"
        );
        found(Check::PublicAccess, message);
    }
    // Of others it is not known which actions and resources there are.
    let author = author.filter(|_| document.kind == PolicyKind::Secret);
    if let Some(by) = author.and_then(|author| locks_out(document, author)) {
        let message = format!(
            "{by}: denies you PutResourcePolicy and DeleteResourcePolicy, so that you could not change this policy any more"
        );
        found(Check::LockOut, message);
    }
    if document.has_unread_variables {
        let message = "Version: a text holds ${, which is a variable in version 2012-10-17 only".to_owned();
        found(Check::VariableInOldVersion, message);
    }
    for (name, statement) in document.named() {
        if document.kind == PolicyKind::Secret {
            of_names(name, statement, author, &mut found);
        }
        for condition in &statement.conditions {
            of_condition(name, statement.effect, condition, &mut found);
        }
    }
    findings
}

fn locks_out<'d>(document: &'d PolicyDocument, author: &AccessRequest<'_>) -> Option<StatementName<'d>> {
    let mut denied = None;
    for action in MENDING {
        match document.decide(&AccessRequest { action, ..*author }) {
            Verdict::Denied { by } => denied = Some(by),
            Verdict::NoStatement | Verdict::Allowed { .. } => return None,
        }
    }
    denied
}

fn of_names(
    name: StatementName<'_>,
    statement: &Statement,
    author: Option<&AccessRequest<'_>>,
    found: &mut impl FnMut(Check, String),
) {
    if !statement.actions.is_negated
        && !statement.actions.items.iter().any(super::action::ActionPattern::is_known)
    {
        let message = format!("{name}: names no operation of Secrets Manager, so that it never matches");
        found(Check::UnknownAction, message);
    }
    for resource in &statement.resources.items {
        if let Some(why) = resource.never() {
            let text = super::error::excerpt(resource.text());
            found(Check::UnmatchedResource, format!("{name}: {text} is never matched: {why}"));
        }
    }
    if author.is_some_and(|author| !statement.covers(author)) {
        let message = format!("{name}: its resources do not include this secret, so that it never matches");
        found(Check::UnmatchedResource, message);
    }
    if let Who::AllBut(names) = &statement.who
        && exempts_nobody(names)
    {
        let message = format!(
            "{name}: NotPrincipal exempts a user only together with his account, and a session only together with its \
             role and its account (arn:aws:iam::ACCOUNT:root)"
        );
        found(Check::IncompleteNotPrincipal, message);
    }
}

fn exempts_nobody(names: &[Name]) -> bool {
    let account_of = |arn: &str| arn.split(':').nth(4).unwrap_or_default().to_owned();
    let has_account =
        |account: &str| names.iter().any(|name| matches!(name, Name::Account { id, .. } if **id == *account));
    names.iter().any(|name| matches!(name, Name::Arn { arn, .. } if !has_account(&account_of(arn))))
}

fn of_condition(
    name: StatementName<'_>,
    effect: Effect,
    condition: &Condition,
    found: &mut impl FnMut(Check, String),
) {
    let key = &condition.key;
    let is = |known: &str| {
        let start = key.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known));
        start && (known.len() == key.len() || known.ends_with('/'))
    };
    let ours = key.get(.."secretsmanager:".len()).is_some_and(|s| s.eq_ignore_ascii_case("secretsmanager:"));
    if ours && !SERVICE_KEYS.iter().any(|known| is(known)) {
        let key = super::error::excerpt(key);
        found(Check::UnknownConditionKey, format!("{name}: Secrets Manager has no condition key {key}"));
    }
    let operator = condition.operator;
    let empty = operator.if_exists || operator.quantifier == Quantifier::All;
    if effect == Effect::Allow && empty && operator.comparison != Comparison::Absent {
        let key = super::error::excerpt(key);
        let message = format!(
            "{name}: allows where {key} has no value too, by IfExists or ForAllValues; add \"Null\": {{{key}: \"false\"}} \
             if that is not meant"
        );
        found(Check::AllowsWithoutValue, message);
    }
}
