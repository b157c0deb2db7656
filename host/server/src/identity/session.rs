//! Temporary credentials. Nothing is stored of them: the token holds all there is to know, sealed, so that every host of a store
//! takes it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_core::identity::{mint_key_id, mint_secret};
use pawl_core::limits;
use pawl_core::names::AccountId;
use pawl_core::secret::Tag;
use pawl_core::value::{SecretBytes, SecretValue, ValueKind};
use pawl_core::world::{Rng, Timestamp};
use pawl_iam::policy::{PolicyDocument, Principal};
use pawl_keyring::{Keyring, SealContext, Sealed};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::AccessKey;
use super::principal::{Identity, deny_all};
use super::snapshot::Snapshot;

/// What a token says.
#[derive(Serialize, Deserialize)]
struct Claims {
    /// Wiped, or moved to where it will be, by who has it.
    secret: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
    who: Who,
}

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// The root identity's.
    Root,
    /// A user's.
    User {
        /// The user.
        name: String,
        /// The user's id: one of the same name that comes later is another one.
        id: String,
    },
    /// A role's.
    Role(Box<Assumed>),
}

/// A role that was assumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumed {
    /// The role.
    pub role: String,
    /// Its id.
    pub id: String,
    /// The session's name.
    pub session: String,
    /// The texts of the session's policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The ARNs of managed policies that limit it as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// The session's tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// The keys of those that go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitive: Vec<String>,
    /// Who began it, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// The ARN of the identity provider through which it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// Temporary credentials that somebody is given.
#[derive(Debug)]
pub struct Issued {
    /// The access key.
    pub key: AccessKey,
    /// The token that goes with it.
    pub token: String,
    /// When they end.
    pub expires_at: Timestamp,
}

/// A token that was opened.
#[derive(Debug)]
pub struct Session {
    /// The access key that goes with it.
    pub key: AccessKey,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whose it is.
    pub who: Who,
    issued_at: Timestamp,
    /// As what it calls, and of which snapshot that is.
    resolved: ArcSwapOption<(u64, Arc<Identity>)>,
}

/// What a token is bound to in the place of an ARN; in that of a version stands its access key's id.
const BOUND: &str = "iam:session";

/// Begins a session of so many seconds. None when it cannot be sealed, for it would be too large.
#[must_use]
pub fn issue(keyring: &Keyring, who: Who, seconds: u32, now: Timestamp, rng: &dyn Rng) -> Option<Issued> {
    let (id, secret) = (mint_key_id(true, rng), mint_secret(rng));
    let expires_at = now.plus_seconds(u64::from(seconds));
    let text = String::from_utf8_lossy(secret.expose()).into_owned();
    let mut claims = Claims { secret: text, issued_at: now, expires_at, who };
    let text = serde_json::to_string(&claims).map(Zeroizing::new);
    claims.secret.zeroize();
    let text = text.ok()?;
    let value = SecretValue::new(ValueKind::Text, SecretBytes::new(text.as_bytes().to_vec())).ok()?;
    let sealed = keyring.seal(&SealContext { arn: BOUND, version_id: &id }, &value, rng).ok()?;
    let token = STANDARD.encode(sealed.into_bytes());
    (token.len() <= limits::SESSION_TOKEN_BYTES_MAX).then_some(Issued {
        key: AccessKey { id, secret },
        token,
        expires_at,
    })
}

impl Session {
    /// Opens a token that came with this access key's id; none when it is not one of this store's.
    #[must_use]
    pub fn open(keyring: &Keyring, key_id: &str, token: &str) -> Option<Self> {
        if token.len() > limits::SESSION_TOKEN_BYTES_MAX {
            return None;
        }
        let sealed = Sealed::from_bytes(STANDARD.decode(token).ok()?).ok()?;
        let value = keyring.open(&SealContext { arn: BOUND, version_id: key_id }, &sealed).ok()?;
        let claims: Claims = serde_json::from_slice(value.bytes().expose()).ok()?;
        Some(Self {
            key: AccessKey { id: key_id.to_owned(), secret: claims.secret.into() },
            expires_at: claims.expires_at,
            who: claims.who,
            issued_at: claims.issued_at,
            resolved: ArcSwapOption::empty(),
        })
    }

    /// As what it calls, by what users, roles and policies are now; none when its user or role is gone, or it is the root
    /// identity's.
    #[must_use]
    pub fn identity(&self, snapshot: &Snapshot, account: &AccountId) -> Option<Arc<Identity>> {
        if let Some(resolved) = &*self.resolved.load()
            && resolved.0 == snapshot.version
        {
            return Some(Arc::clone(&resolved.1));
        }
        let identity = Arc::new(self.resolve(snapshot, account)?);
        self.resolved.store(Some(Arc::new((snapshot.version, Arc::clone(&identity)))));
        Some(identity)
    }

    fn resolve(&self, snapshot: &Snapshot, account: &AccountId) -> Option<Identity> {
        let issued_at = Some(self.issued_at);
        match &self.who {
            Who::Root => None,
            Who::User { name, id } => {
                let user = snapshot.identity(name).filter(|user| user.id == *id)?;
                Some(Identity {
                    principal: user.principal.clone(),
                    id: user.id.clone(),
                    tags: user.tags.clone(),
                    policies: user.policies.clone(),
                    boundary: user.boundary.clone(),
                    session: None,
                    issued_at,
                    transitive: Vec::new(),
                    source_identity: None,
                })
            }
            Who::Role(assumed) => {
                let role =
                    &snapshot.roles.get(&assumed.role).filter(|role| role.value.id == assumed.id)?.value;
                let grants = snapshot.grants(role);
                let mut tags = role.tags.clone();
                tags.retain(|tag| !assumed.tags.iter().any(|own| own.key.eq_ignore_ascii_case(&tag.key)));
                tags.extend(assumed.tags.iter().cloned());
                let path = role.path.trim_start_matches('/');
                let principal =
                    Principal::session(account, &format!("{path}{}", role.name), &assumed.session)
                        .identified(&role.id);
                let principal = match &assumed.provider {
                    Some(provider) => principal.through(provider),
                    None => principal,
                };
                Some(Identity {
                    principal,
                    id: format!("{}:{}", role.id, assumed.session),
                    tags,
                    policies: grants.policies,
                    boundary: grants.boundary,
                    session: limits_of(assumed, snapshot, account),
                    issued_at,
                    transitive: assumed.transitive.clone(),
                    source_identity: assumed.source_identity.clone(),
                })
            }
        }
    }
}

/// The session's policies as one: it may do what any of them allows and none denies.
fn limits_of(assumed: &Assumed, snapshot: &Snapshot, account: &AccountId) -> Option<Arc<PolicyDocument>> {
    let own = assumed.policy.as_deref();
    match (own, assumed.policies.as_slice()) {
        (None, []) => None,
        (Some(text), []) => Some(PolicyDocument::parse_identity(text).map_or_else(|_| deny_all(), Arc::new)),
        (None, [arn]) => Some(snapshot.document(arn)),
        (own, arns) => {
            let texts = arns.iter().map(|arn| snapshot.text(account, arn));
            let joined =
                own.map(str::to_owned).into_iter().map(Some).chain(texts).collect::<Option<Vec<_>>>();
            let document = joined.and_then(|texts| join(&texts));
            Some(document.map_or_else(deny_all, Arc::new))
        }
    }
}

/// Policies with the statements of all; each keeps its meaning, for statements know nothing of each other.
fn join(texts: &[String]) -> Option<PolicyDocument> {
    let mut all = Vec::new();
    for text in texts {
        let mut document: serde_json::Value = serde_json::from_str(text).ok()?;
        // An older version has no variables; joined with a newer one it would.
        if document.get("Version").and_then(|version| version.as_str()) != Some("2012-10-17") {
            return None;
        }
        match document.get_mut("Statement")?.take() {
            serde_json::Value::Array(statements) => all.extend(statements),
            one => all.push(one),
        }
    }
    for statement in &mut all {
        statement.as_object_mut()?.remove("Sid");
    }
    let whole = serde_json::json!({ "Version": "2012-10-17", "Statement": all });
    PolicyDocument::parse_identity(&whole.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use pawl_keyring::RootKey;

    use super::*;
    use crate::world::SystemRng;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn keyring() -> Keyring {
        Keyring::create(&RootKey::generate(&SystemRng), &SystemRng).unwrap().0
    }

    #[test]
    fn a_token_is_its_keys_and_its_stores_and_nobody_elses() {
        let (ours, other) = (keyring(), keyring());
        let issued = issue(&ours, Who::Root, 900, NOW, &SystemRng).unwrap();
        let opened = Session::open(&ours, &issued.key.id, &issued.token).unwrap();
        assert!(opened.who == Who::Root && opened.key.secret.same_as(&issued.key.secret));
        assert_eq!(opened.expires_at, NOW.plus_seconds(900));
        assert!(Session::open(&other, &issued.key.id, &issued.token).is_none());
        assert!(Session::open(&ours, "ASIAANOTHERKEYSNAMES", &issued.token).is_none());
        let sealed = STANDARD.decode(&issued.token).unwrap();
        for place in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[place] ^= 1;
            assert!(Session::open(&ours, &issued.key.id, &STANDARD.encode(bent)).is_none(), "byte {place}");
        }
        assert!(Session::open(&ours, &issued.key.id, "").is_none());
    }

    #[test]
    fn sessions_policies_are_joined_only_where_they_mean_the_same() {
        let text = |version: &str| {
            format!(
                r#"{{"Version":"{version}","Statement":{{"Sid":"x","Effect":"Allow","Action":"iam:*","Resource":"*"}}}}"#
            )
        };
        assert!(join(&[text("2012-10-17"), text("2012-10-17")]).is_some());
        assert!(join(&[text("2012-10-17"), text("2008-10-17")]).is_none());
    }
}
