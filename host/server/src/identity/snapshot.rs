//! All users, groups, roles and managed policies as they are at one moment, compiled for those who decide.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use pawl_core::identity::{BUILT_IN, Group, KeyStatus, ManagedPolicy, OidcProvider, Role, User};
use pawl_core::identity::{Policies, arn};
use pawl_core::names::AccountId;
use pawl_core::value::SecretBytes;
use pawl_iam::policy::{PolicyDocument, Principal};
use pawl_keyring::Keyring;
use pawl_store::EntityRow;

use super::principal::{Identity, deny_all};
use super::{AccessKey, secrets};

/// The kinds under which they are stored.
pub(crate) const USER: &str = "iam:user";
/// See [`USER`].
pub(crate) const GROUP: &str = "iam:group";
/// See [`USER`].
pub(crate) const ROLE: &str = "iam:role";
/// See [`USER`].
pub(crate) const POLICY: &str = "iam:policy";
/// See [`USER`].
pub(crate) const PROVIDER: &str = "iam:oidc-provider";

/// A thing and the revision at which it was read.
#[derive(Debug)]
pub struct Kept<T> {
    /// The thing.
    pub value: Arc<T>,
    /// Its revision.
    pub revision: u64,
    /// What of it is secret, sealed.
    pub sealed: Option<Arc<[u8]>>,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), revision: self.revision, sealed: self.sealed.clone() }
    }
}

/// A user's access key.
#[derive(Debug)]
pub struct UserKey {
    /// Whose.
    pub user: String,
    /// Whether it can be used.
    pub active: bool,
    /// It.
    pub key: Arc<AccessKey>,
    /// When a use of it was last noted, in milliseconds since the Unix epoch: whoever makes the next snapshot goes on with it.
    pub noted: Arc<AtomicI64>,
}

/// What a role's sessions may do.
#[derive(Clone, Debug)]
pub struct Grants {
    /// Its policies.
    pub policies: Vec<Arc<PolicyDocument>>,
    /// Its boundary.
    pub boundary: Option<Arc<PolicyDocument>>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The version of the store's entities that it is of.
    pub version: u64,
    /// Users by their names.
    pub users: BTreeMap<String, Kept<User>>,
    /// Groups by their names.
    pub groups: BTreeMap<String, Kept<Group>>,
    /// Roles by their names.
    pub roles: BTreeMap<String, Kept<Role>>,
    /// Managed policies of the account by their names.
    pub policies: BTreeMap<String, Kept<ManagedPolicy>>,
    /// Identity providers by their URLs.
    pub providers: BTreeMap<String, Kept<OidcProvider>>,
    keys: HashMap<String, Arc<UserKey>>,
    identities: HashMap<String, Arc<Identity>>,
    documents: HashMap<String, Arc<PolicyDocument>>,
}

/// The rows of which a snapshot is made.
pub(super) struct Rows {
    pub(super) version: u64,
    pub(super) users: Vec<EntityRow>,
    pub(super) groups: Vec<EntityRow>,
    pub(super) roles: Vec<EntityRow>,
    pub(super) policies: Vec<EntityRow>,
    pub(super) providers: Vec<EntityRow>,
}

impl Snapshot {
    /// Reads rows. What has not changed is taken from the snapshot before.
    pub(super) fn new(rows: Rows, before: &Self, keyring: &Keyring, account: &AccountId) -> Self {
        let mut snapshot = Self {
            version: rows.version,
            users: read(rows.users, &before.users),
            groups: read(rows.groups, &before.groups),
            roles: read(rows.roles, &before.roles),
            policies: read(rows.policies, &before.policies),
            providers: read(rows.providers, &before.providers),
            ..Self::default()
        };
        snapshot.documents = snapshot.compile_managed(account);
        snapshot.keys = snapshot.open_keys(before, keyring);
        let users = snapshot.users.values();
        snapshot.identities = users
            .map(|user| (user.value.name.clone(), Arc::new(snapshot.user_identity(&user.value, account))))
            .collect();
        snapshot
    }

    fn compile_managed(&self, account: &AccountId) -> HashMap<String, Arc<PolicyDocument>> {
        let own = self.policies.values().map(|policy| {
            let policy = &policy.value;
            (arn(account, "policy", &policy.path, &policy.name), compile(policy.in_force()))
        });
        own.chain(BUILT_IN.iter().map(|policy| (policy.arn(), compile(policy.text)))).collect()
    }

    fn open_keys(&self, before: &Self, keyring: &Keyring) -> HashMap<String, Arc<UserKey>> {
        let mut keys = HashMap::new();
        for user in self.users.values() {
            let mut opened: Option<HashMap<String, SecretBytes>> = None;
            for record in &user.value.keys {
                let known = before.keys.get(&record.id);
                let noted = known.map(|held| Arc::clone(&held.noted)).unwrap_or_default();
                let known = known.map(|held| Arc::clone(&held.key));
                let key = known.or_else(|| {
                    let secrets = opened.get_or_insert_with(|| {
                        secrets::open(keyring, &user.value.id, user.sealed.as_deref()).unwrap_or_default()
                    });
                    let secret = secrets.remove(&record.id)?;
                    Some(Arc::new(AccessKey { id: record.id.clone(), secret }))
                });
                let Some(key) = key else {
                    tracing::error!(user = %user.value.name, key = %record.id, "an access key does not open");
                    continue;
                };
                let (user, active) = (user.value.name.clone(), record.status == KeyStatus::Active);
                keys.insert(record.id.clone(), Arc::new(UserKey { user, active, key, noted }));
            }
        }
        keys
    }

    fn user_identity(&self, user: &User, account: &AccountId) -> Identity {
        let mut policies = self.documents_of(&user.policies);
        for group in &user.groups {
            match self.groups.get(group) {
                Some(group) => policies.append(&mut self.documents_of(&group.value.policies)),
                // Damaged, or renamed by another host between two reads: nobody knows what it denied.
                None => policies.push(deny_all()),
            }
        }
        let path = user.path.trim_start_matches('/');
        Identity {
            principal: Principal::user(account, &format!("{path}{}", user.name)).identified(&user.id),
            id: user.id.clone(),
            tags: user.tags.clone(),
            policies,
            boundary: self.boundary(user.boundary.as_deref()),
            session: None,
            issued_at: None,
            transitive: Vec::new(),
            source_identity: None,
        }
    }

    /// The compiled policies of a holder.
    fn documents_of(&self, policies: &Policies) -> Vec<Arc<PolicyDocument>> {
        let inline = policies.inline.values().map(|text| compile(text));
        inline.chain(policies.attached.iter().map(|arn| self.document(arn))).collect()
    }

    /// The compiled managed policy of this ARN; one that is gone denies everything, for nobody knows what it denied.
    #[must_use]
    pub fn document(&self, arn: &str) -> Arc<PolicyDocument> {
        self.documents.get(arn).cloned().unwrap_or_else(deny_all)
    }

    /// The text that is in force of the managed policy of this ARN.
    #[must_use]
    pub fn text(&self, account: &AccountId, arn: &str) -> Option<String> {
        if let Some(built_in) = BUILT_IN.iter().find(|policy| policy.arn() == arn) {
            return Some(built_in.text.to_owned());
        }
        self.policy(account, arn).map(|policy| policy.value.in_force().to_owned())
    }

    /// The account's managed policy of this ARN.
    #[must_use]
    pub fn policy(&self, account: &AccountId, of: &str) -> Option<&Kept<ManagedPolicy>> {
        let name = of.rsplit_once('/')?.1;
        let found = self.policies.get(name)?;
        (arn(account, "policy", &found.value.path, name) == of).then_some(found)
    }

    fn boundary(&self, arn: Option<&str>) -> Option<Arc<PolicyDocument>> {
        arn.map(|arn| self.document(arn))
    }

    /// What a role's sessions may do.
    #[must_use]
    pub fn grants(&self, role: &Role) -> Grants {
        Grants {
            policies: self.documents_of(&role.policies),
            boundary: self.boundary(role.boundary.as_deref()),
        }
    }

    /// The access key of this id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&Arc<UserKey>> {
        self.keys.get(id)
    }

    /// The user of this name as a caller.
    #[must_use]
    pub fn identity(&self, user: &str) -> Option<&Arc<Identity>> {
        self.identities.get(user)
    }
}

/// What cannot be read denies everything.
fn compile(text: &str) -> Arc<PolicyDocument> {
    PolicyDocument::parse_identity(text).map_or_else(|_| deny_all(), Arc::new)
}

fn read<T: serde::de::DeserializeOwned>(
    rows: Vec<EntityRow>,
    before: &BTreeMap<String, Kept<T>>,
) -> BTreeMap<String, Kept<T>> {
    let mut things = BTreeMap::new();
    for EntityRow { name, revision, document, sealed, kind, mac, .. } in rows {
        if let Some(held) = before.get(&name).filter(|held| held.revision == revision) {
            things.insert(name, held.clone());
            continue;
        }
        // As if it were gone: who is in such a group, or has such a policy, may nothing.
        if mac.is_refused() {
            continue;
        }
        match serde_json::from_str(&document) {
            Ok(value) => {
                let kept = Kept { value: Arc::new(value), revision, sealed: sealed.map(Arc::from) };
                things.insert(name, kept);
            }
            // One that is damaged must not keep everybody else out.
            Err(_) => tracing::error!(kind, name, "its document cannot be read; it is left out"),
        }
    }
    things
}

#[cfg(test)]
mod tests {
    use pawl_core::world::Timestamp;
    use pawl_iam::decision::{self, decide};
    use pawl_iam::policy::AccessRequest;
    use pawl_keyring::RootKey;
    use pawl_store::RowMac;

    use super::*;
    use crate::world::SystemRng;

    const ALL: &str =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

    fn row(kind: &str, name: &str, document: &impl serde::Serialize) -> EntityRow {
        EntityRow {
            kind: kind.to_owned(),
            region: String::new(),
            name: name.to_owned(),
            revision: 1,
            document: serde_json::to_string(document).unwrap(),
            sealed: None,
            mac: RowMac::None,
        }
    }

    fn may(user: &User, groups: Vec<EntityRow>) -> bool {
        let (keyring, _) = Keyring::create(&RootKey::generate(&SystemRng), &SystemRng).unwrap();
        let users = vec![row(USER, &user.name, user)];
        let rows = Rows {
            version: 1,
            users,
            groups,
            roles: Vec::new(),
            policies: Vec::new(),
            providers: Vec::new(),
        };
        let account = "000000000000".parse().unwrap();
        let snapshot = Snapshot::new(rows, &Snapshot::default(), &keyring, &account);
        let identity = snapshot.identity(&user.name).unwrap();
        let context = identity.context();
        let (principal, action, resource) = (&identity.principal, "iam:ListUsers", "*");
        let request = AccessRequest { principal, action, resource, context: &context };
        let policies =
            decision::Policies { identity: identity.policies.as_slice(), ..decision::Policies::default() };
        decide(&request, &policies).is_allowed()
    }

    #[test]
    fn who_is_in_a_group_that_is_not_to_be_read_may_nothing() {
        let mut user = User::new("ann", "/", Timestamp::default(), &SystemRng);
        user.policies.inline.insert("all".to_owned(), ALL.to_owned());
        assert!(may(&user, Vec::new()));
        user.join("limits").unwrap();
        assert!(!may(&user, Vec::new()), "nobody knows what the group denies");
        let group = Group::new("limits", "/", Timestamp::default(), &SystemRng);
        assert!(may(&user, vec![row(GROUP, "limits", &group)]));
        let damaged = EntityRow { document: "{".to_owned(), ..row(GROUP, "limits", &group) };
        assert!(!may(&user, vec![damaged]));
        let altered = EntityRow { mac: RowMac::Refused, ..row(GROUP, "limits", &group) };
        assert!(!may(&user, vec![altered]));
    }

    #[test]
    fn what_cannot_be_read_or_is_gone_denies() {
        let mut user = User::new("ann", "/", Timestamp::default(), &SystemRng);
        user.policies.inline.insert("all".to_owned(), ALL.to_owned());
        let mut gone = user.clone();
        gone.policies.attached.insert("arn:aws:iam::000000000000:policy/gone".to_owned());
        assert!(!may(&gone, Vec::new()));
        user.policies.inline.insert("damaged".to_owned(), "{".to_owned());
        assert!(!may(&user, Vec::new()));
    }
}
