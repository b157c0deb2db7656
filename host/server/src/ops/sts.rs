//! One function per operation of STS.

mod web_identity;

use std::borrow::Cow;

use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::query::{Form, Node, group, number, rule, text};
use pawl_api::sts::Operation;
use pawl_core::identity::{Role, arn, put_tags};
use pawl_core::limits;
use pawl_core::secret::Tag;
use pawl_iam::policy::{PolicyDocument, PolicyKind, PrincipalKind};

use super::iam::{Answer, moment};
use crate::host::Host;
use crate::identity::{Assumed, Caller, Identity, Issued, Standing, Who, trust_of};
use crate::policy::{permit, request_tags};

type Keys = Vec<(Cow<'static, str>, String)>;

/// Does what the form asks for.
///
/// # Errors
/// What AWS would answer.
pub(crate) async fn perform(host: &Host, caller: &Caller, operation: Operation, form: &Form) -> Answer {
    match operation {
        Operation::GetCallerIdentity => Ok(Some(identity(host, caller))),
        Operation::GetAccessKeyInfo => access_key_info(host, caller, form),
        Operation::GetSessionToken => session_token(host, caller, form),
        Operation::AssumeRole => assume_role(host, caller, form),
        Operation::AssumeRoleWithWebIdentity => web_identity::assume(host, caller, form).await,
    }
}

fn refuse(code: ErrorCode, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message)
}

/// `GetCallerIdentity`: whom nobody has to let.
fn identity(host: &Host, caller: &Caller) -> Vec<Node> {
    let account = host.app.account();
    let id = caller.identity.as_ref().map_or_else(|| account.to_string(), |identity| identity.id.clone());
    vec![text("Arn", &caller.principal), text("UserId", id), text("Account", account)]
}

/// `GetAccessKeyInfo`
fn access_key_info(host: &Host, caller: &Caller, form: &Form) -> Answer {
    let denied = |message| refuse(ErrorCode::AccessDeniedException, message);
    if caller.is_own_session() {
        // AWS: of STS, such credentials call AssumeRole and GetCallerIdentity only.
        return Err(denied("Cannot call GetAccessKeyInfo with session credentials".to_owned()));
    }
    permit(&host.app, caller, (Operation::GetAccessKeyInfo.action(), "*"), &[], None, None)
        .map_err(denied)?;
    let id = form.required("AccessKeyId", &rule::ACCESS_KEY_ID)?;
    let known =
        id == host.root_key.id || host.directory.snapshot().key(id).is_some() || id.starts_with("ASIA");
    if !known {
        return Err(refuse(ErrorCode::ValidationError, format!("Invalid access key id: {id}")));
    }
    Ok(Some(vec![text("Account", host.app.account())]))
}

fn credentials(issued: &Issued) -> Node {
    let secret = zeroize::Zeroizing::new(String::from_utf8_lossy(issued.key.secret.expose()).into_owned());
    let parts = [
        text("AccessKeyId", &issued.key.id),
        text("SecretAccessKey", secret.as_str()),
        text("SessionToken", &issued.token),
        text("Expiration", moment(issued.expires_at)),
    ];
    group("Credentials", parts)
}

const OF_SESSION: &str = "Cannot call GetSessionToken with session credentials";

/// `GetSessionToken`: needs no permission, and gives none.
fn session_token(host: &Host, caller: &Caller, form: &Form) -> Answer {
    let most = limits::SESSION_TOKEN_SECONDS_MAX;
    let seconds = form.number("DurationSeconds", limits::SESSION_SECONDS_MIN, most)?;
    let seconds = seconds.unwrap_or(limits::SESSION_TOKEN_SECONDS);
    let (who, seconds) = match &caller.identity {
        // No session makes another one of its own: it would never end.
        _ if caller.is_temporary => return Err(refuse(ErrorCode::AccessDeniedException, OF_SESSION)),
        None => (Who::Root, seconds.min(limits::ROOT_SESSION_SECONDS_MAX)),
        Some(identity) if identity.principal.kind() == PrincipalKind::User => {
            let name = identity.principal.name().rsplit('/').next().unwrap_or_default().to_owned();
            (Who::User { name, id: identity.id.clone() }, seconds)
        }
        Some(_) => return Err(refuse(ErrorCode::AccessDeniedException, OF_SESSION)),
    };
    let issued = host.directory.begin(who, seconds, host.app.clock().wall())?;
    Ok(Some(vec![credentials(&issued)]))
}

/// The tags of a session: the request's, and those of the caller's own session that go on.
struct SessionTags {
    tags: Vec<Tag>,
    transitive: Vec<String>,
}

fn tags(form: &Form, caller: Option<&Identity>) -> Result<SessionTags, ApiError> {
    let mut own = Vec::new();
    for (key, value) in form.pairs("Tags", "Key", "Value") {
        let key = rule::TAG_KEY.admit("tags.1.member.key", key)?;
        let value = rule::TAG_VALUE.admit("tags.1.member.value", value)?;
        own.push(Tag { key: key.to_owned(), value: value.to_owned() });
    }
    let mut transitive: Vec<String> = form.list("TransitiveTagKeys").into_iter().map(str::to_owned).collect();
    let mut tags = Vec::new();
    if let Some(caller) = caller {
        let goes_on = |tag: &&Tag| caller.transitive.iter().any(|key| key.eq_ignore_ascii_case(&tag.key));
        tags.extend(caller.tags.iter().filter(goes_on).cloned());
        transitive.extend(caller.transitive.iter().cloned());
    }
    let held = |tag: &Tag| tags.iter().any(|own: &Tag| own.key.eq_ignore_ascii_case(&tag.key));
    if own.iter().any(held) {
        let message = "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag \
                       key from the calling session.";
        return Err(refuse(ErrorCode::ValidationError, message));
    }
    put_tags(&mut tags, &own, "TagsPerSession")
        .map_err(|error| refuse(ErrorCode::ValidationError, error.to_string()))?;
    transitive.sort();
    transitive.dedup();
    Ok(SessionTags { tags, transitive })
}

/// What limits a session beyond its role.
struct SessionPolicies {
    policy: Option<String>,
    policies: Vec<String>,
}

fn policies(host: &Host, form: &Form) -> Result<SessionPolicies, ApiError> {
    let policy = form.text("Policy", &rule::SESSION_POLICY)?;
    if let Some(text) = policy {
        let malformed = |error: pawl_iam::policy::PolicyError| {
            refuse(ErrorCode::MalformedPolicyDocumentException, error.sentence(PolicyKind::Identity))
        };
        PolicyDocument::parse_identity(text).map_err(malformed)?;
    }
    let listed = form.pairs("PolicyArns", "arn", "");
    if listed.len() > limits::SESSION_POLICIES_MAX {
        let message = format!("A session has at most {} managed policies.", limits::SESSION_POLICIES_MAX);
        return Err(refuse(ErrorCode::ValidationError, message));
    }
    let snapshot = host.directory.snapshot();
    let mut policies = Vec::new();
    for (arn, _) in listed {
        let arn = rule::ARN.admit("policyArns.1.member.arn", arn)?;
        if snapshot.text(host.app.account(), arn).is_none() {
            let message = format!("Policy {arn} does not exist or is not attachable.");
            return Err(refuse(ErrorCode::MalformedPolicyDocumentException, message));
        }
        policies.push(arn.to_owned());
    }
    Ok(SessionPolicies { policy: policy.map(str::to_owned), policies })
}

/// `AssumeRole`
fn assume_role(host: &Host, caller: &Caller, form: &Form) -> Answer {
    let wanted = form.required("RoleArn", &rule::ARN)?;
    let session = form.required("RoleSessionName", &rule::SESSION_NAME)?;
    let (least, most) = (limits::SESSION_SECONDS_MIN, limits::ROLE_SESSION_SECONDS_MAX);
    let seconds = form.number("DurationSeconds", least, most)?;
    let external_id = form.text("ExternalId", &rule::EXTERNAL_ID)?;
    let given = form.text("SourceIdentity", &rule::SESSION_NAME)?;
    let SessionTags { tags, transitive } = tags(form, caller.identity.as_deref())?;
    let SessionPolicies { policy, policies } = policies(host, form)?;
    if caller.standing == Standing::Root {
        // AWS: "Roles may not be assumed by root accounts."
        return Err(refuse(ErrorCode::AccessDeniedException, "Roles may not be assumed by root accounts."));
    }
    let snapshot = host.directory.snapshot();
    let account = host.app.account();
    let name = wanted.rsplit('/').next().unwrap_or_default();
    let found = snapshot.roles.get(name).map(|role| &*role.value);
    let role = found.filter(|role| arn(account, "role", &role.path, &role.name) == wanted);
    let source_identity = source_identity(caller, given)?;
    let keys = keys(form, session, (external_id, source_identity), &transitive);
    // AWS: "the role's trust policy must allow sts:TagSession", for tags that go on as for those of the request.
    let role = may_assume(host, caller, wanted, role, &keys, !tags.is_empty())?;
    let chained = caller.identity.as_ref().is_some_and(|own| own.principal.kind() == PrincipalKind::Session);
    let seconds = duration(role, seconds, chained)?;
    let size = policy.as_ref().map_or(0, String::len).saturating_mul(100) / limits::SESSION_POLICY_CHARS_MAX;
    let source_identity = source_identity.map(str::to_owned);
    let shown_source = source_identity.clone();
    let assumed = Assumed {
        role: role.name.clone(),
        id: role.id.clone(),
        session: session.to_owned(),
        policy,
        policies,
        tags,
        transitive,
        source_identity,
        provider: None,
    };
    let issued = host.directory.begin(Who::Role(Box::new(assumed)), seconds, host.app.clock().wall())?;
    let user = [
        text("AssumedRoleId", format!("{}:{session}", role.id)),
        text("Arn", format!("arn:aws:sts::{account}:assumed-role/{}/{session}", role.name)),
    ];
    let mut nodes = vec![credentials(&issued), group("AssumedRoleUser", user)];
    if size > 0 {
        nodes.push(number("PackedPolicySize", size));
    }
    nodes.extend(pawl_api::query::maybe("SourceIdentity", shown_source));
    Ok(Some(nodes))
}

/// The source identity of the new session. One that is set goes on into every further session and is never another (AWS's "Monitor
/// and control actions taken with assumed roles"): otherwise a session could act in somebody else's name.
fn source_identity<'a>(caller: &'a Caller, given: Option<&'a str>) -> Result<Option<&'a str>, ApiError> {
    let own = caller.identity.as_ref().and_then(|own| own.source_identity.as_deref());
    match (own, given) {
        (Some(own), Some(given)) if own != given => {
            let message = "The source identity of a session cannot be changed in a session that it begins.";
            Err(refuse(ErrorCode::AccessDeniedException, message))
        }
        _ => Ok(own.or(given)),
    }
}

/// The condition keys of a request for a session.
fn keys(form: &Form, session: &str, of: (Option<&str>, Option<&str>), transitive: &[String]) -> Keys {
    let (external_id, source_identity) = of;
    let mut keys: Keys = vec![("sts:RoleSessionName".into(), session.to_owned())];
    keys.extend(external_id.map(|id| ("sts:ExternalId".into(), id.to_owned())));
    keys.extend(source_identity.map(|name| ("sts:SourceIdentity".into(), name.to_owned())));
    keys.extend(request_tags(form.pairs("Tags", "Key", "Value")));
    keys.extend(transitive.iter().map(|key| ("sts:TransitiveTagKeys".into(), key.clone())));
    keys
}

/// The role, if its trust policy and the caller's own policies let the caller assume it. Who may not is not told whether there
/// is one.
fn may_assume<'r>(
    host: &Host,
    caller: &Caller,
    wanted: &str,
    role: Option<&'r Role>,
    keys: &Keys,
    tagged: bool,
) -> Result<&'r Role, ApiError> {
    let denied = |message| refuse(ErrorCode::AccessDeniedException, message);
    let unknown = || {
        let principal = &caller.principal;
        denied(format!(
            "User: {principal} is not authorized to perform: sts:AssumeRole on resource: {wanted}"
        ))
    };
    let role = role.ok_or_else(unknown)?;
    let trust = trust_of(role).ok_or_else(unknown)?;
    let mut keys = keys.clone();
    keys.extend(
        role.tags.iter().map(|tag| (format!("aws:ResourceTag/{}", tag.key).into(), tag.value.clone())),
    );
    let mut actions = vec![Operation::AssumeRole.action()];
    if tagged {
        actions.push("sts:TagSession");
    }
    if keys.iter().any(|(key, _)| key == "sts:SourceIdentity") {
        actions.push("sts:SetSourceIdentity");
    }
    for action in actions {
        permit(&host.app, caller, (action, wanted), &keys, None, Some(&trust)).map_err(denied)?;
    }
    Ok(role)
}

/// How long the session lasts.
fn duration(role: &Role, seconds: Option<u32>, chained: bool) -> Result<u32, ApiError> {
    let invalid = |message: &str| Err(refuse(ErrorCode::ValidationError, message));
    match seconds {
        None => Ok(limits::CHAINED_SESSION_SECONDS_MAX.min(role.session_seconds_max)),
        Some(seconds) if chained && seconds > limits::CHAINED_SESSION_SECONDS_MAX => invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ),
        Some(seconds) if seconds > role.session_seconds_max => {
            invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        }
        Some(seconds) => Ok(seconds),
    }
}
