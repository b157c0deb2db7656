//! What has to be done so that two roles are one for an application.

use std::collections::BTreeSet;

use pawl_core::limits;

use super::super::statement::{Unfit, literal, quoted};
use super::catalog::{Found, ROLE, Role, Setting, Settings};

/// The two roles: the owner, to which everything belongs, and the alternate, which runs as it.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) owner: Role,
    /// None where it has to be made.
    pub(super) alternate: Option<Role>,
    pub(super) alternate_name: String,
    /// Which of the two is to be logged in with next.
    pub(super) account: String,
    pub(super) master: String,
    /// Whom the session has logged in as, where it is the account; and the database that it is in.
    pub(super) own_session_in: Option<String>,
    pub(super) version: u32,
}

/// Why there is no plan; nothing was changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

impl From<Unfit> for Refused {
    fn from(unfit: Unfit) -> Self {
        Self(unfit.to_string())
    }
}

/// A statement, and what it is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) statement: String,
    pub(super) purpose: Purpose,
}

/// What a statement is for: what to say when the server denies it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Create,
    Attribute(&'static str),
    Join,
    Setting(String),
    Password,
}

/// The first version with options for each membership.
const MEMBERSHIP_OPTIONS: u32 = 160_000;
/// The first version where the right to set a parameter can be granted.
const PARAMETER_RIGHTS: u32 = 150_000;

impl Pair {
    /// Tells the owner from the alternate.
    pub(super) fn of(found: Found, like: &str, account: &str) -> Result<Self, Refused> {
        if like == account {
            return Err(Refused(format!("`{like}` cannot be an alternate of itself")));
        }
        let (mut used, mut other) = (None, None);
        for role in found.roles {
            if role.name == like {
                used = Some(role);
            } else if role.name == account {
                other = Some(role);
            }
        }
        let used = used.ok_or_else(|| Refused(format!("the server has no role `{like}`")))?;
        let runs_as_other = used.default_role() == Some(account);
        let (owner, alternate, alternate_name) = match other {
            // As an earlier rotation has left it, or AWS's function, whose copy is a member of the first user.
            Some(other) if !other.below && (used.below || runs_as_other) => (other, Some(used), like),
            other => (used, other, account),
        };
        Ok(Self {
            owner,
            alternate,
            alternate_name: alternate_name.to_owned(),
            account: account.to_owned(),
            own_session_in: (found.login == account).then_some(found.database),
            master: found.master,
            version: found.version,
        })
    }

    /// Whether the alternate was the owner's before.
    pub(super) fn related(&self) -> bool {
        self.alternate.as_ref().is_none_or(|alternate| alternate.below)
    }

    /// The settings that the alternate must have: the owner's, and to run as the owner does.
    pub(super) fn settings(&self) -> Settings {
        let mut settings = self.owner.settings.clone();
        for (setting, value) in &mut settings {
            if setting.name == ROLE && value == "none" {
                value.clone_from(&self.owner.name);
            }
        }
        let everywhere = Setting { database: None, name: ROLE.to_owned() };
        let _ = settings.entry(everywhere).or_insert_with(|| self.owner.name.clone());
        settings
    }

    /// What the account's own session in `database` runs as, when all is as it should be.
    pub(super) fn runs_as(&self, database: &str) -> String {
        let mine =
            if self.account == self.owner.name { self.owner.settings.clone() } else { self.settings() };
        let role = |database: Option<&str>| {
            mine.get(&Setting { database: database.map(str::to_owned), name: ROLE.to_owned() }).cloned()
        };
        let set = role(Some(database)).or_else(|| role(None)).filter(|role| role != "none");
        set.unwrap_or_else(|| self.owner.name.clone())
    }

    /// What forbids to make the two one.
    fn check(&self) -> Result<(), Refused> {
        let (owner, alternate) = (&self.owner.name, &self.alternate_name);
        let refused = |why: String| Err(Refused(why));
        if alternate.len() > limits::POSTGRES_NAME_BYTES_MAX {
            return refused(format!(
                "the name `{alternate}` has {} bytes, and PostgreSQL would cut it at {}: alternating users need a shorter name",
                alternate.len(),
                limits::POSTGRES_NAME_BYTES_MAX
            ));
        }
        let also = self.alternate.as_ref().is_some_and(|alternate| alternate.superuser);
        if self.owner.superuser && !also {
            return refused(format!(
                "`{owner}` is a superuser, and Pawl makes no second one: rotate it by the single-user function"
            ));
        }
        if also && !self.owner.superuser {
            return refused(format!(
                "`{alternate}` is a superuser and `{owner}` is not: ALTER ROLE {} NOSUPERUSER",
                quoted(alternate)?
            ));
        }
        if self.owner.expired {
            return refused(format!(
                "the password of `{owner}` is past its VALID UNTIL, which holds for its alternate as well: ALTER ROLE {} VALID UNTIL 'infinity'",
                quoted(owner)?
            ));
        }
        if self.owner.connection_limit == 0 {
            return refused(format!(
                "`{owner}` may open no connection, which holds for its alternate as well: ALTER ROLE {} CONNECTION LIMIT -1",
                quoted(owner)?
            ));
        }
        if self.owner.settings.iter().any(|(setting, value)| setting.name == ROLE && value == alternate) {
            return refused(format!(
                "`{owner}` is set to run as its own alternate: ALTER ROLE {} RESET role",
                quoted(owner)?
            ));
        }
        Ok(())
    }

    /// Everything but the password.
    pub(super) fn plan(&self) -> Result<Vec<Step>, Refused> {
        self.check()?;
        let (owner, alternate) = (quoted(&self.owner.name)?, quoted(&self.alternate_name)?);
        let mut steps = Vec::new();
        let made = Role { login: true, ..Role::fresh() };
        let now = self.alternate.as_ref().unwrap_or(&made);
        if self.alternate.is_none() {
            steps
                .push(Step { statement: format!("CREATE ROLE {alternate} LOGIN"), purpose: Purpose::Create });
        }
        for (name, words) in now.unlike(&self.owner) {
            steps.push(Step {
                statement: format!("ALTER ROLE {alternate} {words}"),
                purpose: Purpose::Attribute(name),
            });
        }
        let next = if self.account == self.owner.name { &self.owner } else { now };
        if !next.login {
            let statement = format!("ALTER ROLE {} LOGIN", quoted(&self.account)?);
            steps.push(Step { statement, purpose: Purpose::Attribute("LOGIN") });
        }
        if !now.joined {
            let options =
                if self.version >= MEMBERSHIP_OPTIONS { " WITH INHERIT TRUE, SET TRUE" } else { "" };
            let statement = format!("GRANT {owner} TO {alternate}{options}");
            steps.push(Step { statement, purpose: Purpose::Join });
        }
        for setting in self.stray_settings() {
            let Setting { database, name } = &setting;
            let place = match database {
                Some(database) => format!(" IN DATABASE {}", quoted(database)?),
                None => String::new(),
            };
            let what = match self.settings().get(&setting) {
                Some(value) => format!("SET {} TO {}", quoted(name)?, values(name, value)?),
                None => format!("RESET {}", quoted(name)?),
            };
            let statement = format!("ALTER ROLE {alternate}{place} {what}");
            steps.push(Step { statement, purpose: Purpose::Setting(name.clone()) });
        }
        Ok(steps)
    }

    /// The alternate's settings that are not as they must be.
    pub(super) fn stray_settings(&self) -> BTreeSet<Setting> {
        let wanted = self.settings();
        let none = Settings::new();
        let found = self.alternate.as_ref().map_or(&none, |alternate| &alternate.settings);
        let names = wanted.keys().chain(found.keys());
        names.filter(|setting| wanted.get(setting) != found.get(setting)).cloned().collect()
    }

    /// What the master lacks when the server denies it a step.
    pub(super) fn denied(&self, purpose: &Purpose) -> String {
        let (master, owner, alternate) = (&self.master, &self.owner.name, &self.alternate_name);
        let admin_on = |role: &str| {
            let (quoted_role, quoted_master) = (quoted(role), quoted(master));
            let (role, master) = (quoted_role.unwrap_or_default(), quoted_master.unwrap_or_default());
            match self.version >= MEMBERSHIP_OPTIONS {
                true => {
                    format!("CREATEROLE and ADMIN OPTION on it: GRANT {role} TO {master} WITH ADMIN OPTION")
                }
                false => format!("CREATEROLE: ALTER ROLE {master} CREATEROLE"),
            }
        };
        match purpose {
            Purpose::Create => {
                format!("`{master}` may not create the role `{alternate}`: it needs CREATEROLE")
            }
            Purpose::Attribute(name) => format!(
                "`{master}` may not give the role `{alternate}` the {name} that `{owner}` has: it needs {}; and {name} itself, or a superuser",
                admin_on(alternate)
            ),
            Purpose::Join => format!(
                "`{master}` may not make `{alternate}` a member of `{owner}`: it needs {}",
                admin_on(owner)
            ),
            Purpose::Setting(name) => {
                let (parameter, whom) =
                    (quoted(name).unwrap_or_default(), quoted(master).unwrap_or_default());
                let right = match self.version >= PARAMETER_RIGHTS {
                    true => format!("GRANT SET ON PARAMETER {parameter} TO {whom}"),
                    false => "a superuser's".to_owned(),
                };
                format!(
                    "`{master}` may not set `{name}` for the role `{alternate}` as it is for `{owner}`: it needs the right to set it ({right}), and {}",
                    admin_on(alternate)
                )
            }
            Purpose::Password => {
                format!(
                    "`{master}` may not set the password of `{}`: it needs {}",
                    self.account,
                    admin_on(&self.account)
                )
            }
        }
    }
}

impl Role {
    /// As CREATE ROLE makes one.
    fn fresh() -> Self {
        Self { inherit: true, connection_limit: -1, valid_until: "infinity".to_owned(), ..Self::default() }
    }

    /// The role that it runs as, where no database has another.
    fn default_role(&self) -> Option<&str> {
        self.settings.get(&Setting { database: None, name: ROLE.to_owned() }).map(String::as_str)
    }

    /// The attributes that an alternate has otherwise than its owner, and the words that give it the owner's.
    pub(super) fn unlike(&self, owner: &Self) -> Vec<(&'static str, String)> {
        let flags = [
            ("CREATEDB", self.createdb, owner.createdb),
            ("CREATEROLE", self.createrole, owner.createrole),
            ("REPLICATION", self.replication, owner.replication),
            ("BYPASSRLS", self.bypassrls, owner.bypassrls),
            // Its membership is what it lives by, whatever the owner does with its own.
            ("INHERIT", self.inherit, true),
        ];
        let mut unlike = Vec::new();
        for (name, has, should) in flags {
            if has != should {
                unlike.push((name, if should { name.to_owned() } else { format!("NO{name}") }));
            }
        }
        if self.connection_limit != owner.connection_limit {
            unlike.push(("CONNECTION LIMIT", format!("CONNECTION LIMIT {}", owner.connection_limit)));
        }
        if self.valid_until != owner.valid_until {
            // A time as the server writes it: digits, a sign, or a word.
            let until = owner.valid_until.replace(['\'', '\\'], "");
            unlike.push(("VALID UNTIL", format!("VALID UNTIL '{until}'")));
        }
        unlike
    }
}

/// Settings whose text is a list of quoted names, which a plain literal would make one name of.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// A setting's stored text as ALTER ROLE takes it.
fn values(name: &str, stored: &str) -> Result<String, Unfit> {
    if !LISTS.iter().any(|list| list.eq_ignore_ascii_case(name)) {
        return literal(stored);
    }
    let elements = elements(stored);
    if elements.is_empty() {
        return literal("");
    }
    let literals: Result<Vec<_>, _> = elements.iter().map(|element| literal(element)).collect();
    Ok(literals?.join(", "))
}

/// The names in a list as the catalog keeps it: `"$user", public`.
fn elements(stored: &str) -> Vec<String> {
    let (mut elements, mut element, mut some) = (Vec::new(), String::new(), false);
    let mut chars = stored.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                some = true;
                while let Some(inner) = chars.next() {
                    if inner != '"' {
                        element.push(inner);
                    } else if chars.next_if_eq(&'"').is_some() {
                        element.push('"');
                    } else {
                        break;
                    }
                }
            }
            ',' => {
                elements.push(std::mem::take(&mut element));
                some = false;
            }
            space if space.is_ascii_whitespace() => {}
            other => {
                some = true;
                element.push(other);
            }
        }
    }
    if some || !elements.is_empty() {
        elements.push(element);
    }
    elements
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn role(name: &str, below: bool, runs_as: Option<&str>) -> Role {
        let mut role = Role { name: name.to_owned(), login: true, below, joined: below, ..Role::fresh() };
        if let Some(other) = runs_as {
            role.settings.insert(Setting { database: None, name: ROLE.to_owned() }, other.to_owned());
        }
        role
    }

    fn pair(roles: Vec<Role>, like: &str, account: &str) -> Result<Pair, Refused> {
        let (master, login, database) = ("master".to_owned(), "master".to_owned(), "postgres".to_owned());
        Pair::of(Found { master, login, database, version: 150_000, roles }, like, account)
    }

    #[test]
    fn who_was_the_owner_stays_it_and_else_it_is_the_one_in_use() {
        let cases = [
            (vec![role("a", false, None)], "a", "b", "a"),
            (vec![role("a", false, None), role("b", false, None)], "a", "b", "a"),
            (vec![role("a", false, None), role("b", true, None)], "a", "b", "a"),
            (vec![role("a", false, None), role("b", true, None)], "b", "a", "a"),
            (vec![role("a", false, None), role("b", true, Some("a"))], "b", "a", "a"),
            // Whoever has lost the membership by hand, or with a restored server, gets it back.
            (vec![role("a", false, None), role("b", false, Some("a"))], "b", "a", "a"),
            (vec![role("a", true, None), role("b", false, Some("a"))], "b", "a", "b"),
        ];
        for (number, (roles, like, account, owner)) in cases.into_iter().enumerate() {
            let pair = pair(roles, like, account).unwrap();
            assert_eq!((number, pair.owner.name.as_str()), (number, owner));
            assert_ne!(pair.alternate_name, owner);
        }
        assert!(pair(vec![role("b", false, None)], "a", "b").is_err());
    }

    #[test]
    fn a_pair_that_is_as_it_should_be_needs_nothing_but_the_password() {
        for (like, account) in [("a", "b"), ("b", "a")] {
            let roles = vec![role("a", false, None), role("b", true, Some("a"))];
            assert_eq!(pair(roles, like, account).unwrap().plan().unwrap(), []);
        }
        // The owner itself may run as a role of its own, and its alternate does as it does.
        let roles = vec![role("a", false, Some("group")), role("b", true, Some("group"))];
        assert_eq!(pair(roles, "a", "b").unwrap().plan().unwrap(), []);
        let circle = vec![role("a", false, Some("b")), role("b", true, Some("a"))];
        assert!(pair(circle, "a", "b").unwrap().plan().is_err());
    }

    #[test]
    fn a_first_turn_makes_the_alternate_and_each_statement_quotes_its_names() {
        let mut owner = role("a\"; --", false, None);
        owner.connection_limit = 5;
        let plan = pair(vec![owner], "a\"; --", "b'").unwrap().plan().unwrap();
        let statements: Vec<_> = plan.iter().map(|step| step.statement.as_str()).collect();
        assert_eq!(
            statements,
            [
                "CREATE ROLE \"b'\" LOGIN",
                "ALTER ROLE \"b'\" CONNECTION LIMIT 5",
                "GRANT \"a\"\"; --\" TO \"b'\"",
                "ALTER ROLE \"b'\" SET \"role\" TO 'a\"; --'",
            ]
        );
    }

    proptest! {
        #[test]
        fn a_list_is_read_as_the_server_writes_it(
            names in vec("[a-z_$]{1,8}|[ -~é]{0,12}", 1..5),
        ) {
            let plain = |name: &str| !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
            let stored: Vec<_> = names.iter().map(|name| match plain(name) {
                true => name.clone(),
                false => format!("\"{}\"", name.replace('"', "\"\"")),
            }).collect();
            prop_assert_eq!(elements(&stored.join(", ")), names);
        }

        #[test]
        fn no_list_of_a_hostile_server_is_too_strange(stored in any::<String>()) {
            let literals = values("search_path", &stored);
            prop_assert_eq!(literals.is_err(), stored.contains('\0'));
            prop_assert!(literals.map_or(true, |literals| literals.ends_with('\'')));
        }
    }
}
