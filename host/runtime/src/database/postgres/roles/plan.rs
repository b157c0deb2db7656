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
