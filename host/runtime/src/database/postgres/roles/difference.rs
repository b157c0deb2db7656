//! What one of two roles can do and the other cannot, in sentences for people.

use pawl_core::limits;

use super::catalog::{HoldingKind, Own, ROLE, reassign};
use super::plan::Pair;

/// What is otherwise with one than with the other; nothing, when an application cannot tell them apart.
pub(super) fn differences(pair: &Pair, own: &Own) -> Vec<String> {
    let (owner, name) = (&pair.owner.name, &pair.alternate_name);
    let Some(alternate) = &pair.alternate else {
        return vec![format!("there is no role `{name}`")];
    };
    let mut found = Vec::new();
    let account = if pair.account == *owner { &pair.owner } else { alternate };
    if !account.login {
        found.push(format!("`{}` may not log in", account.name));
    }
    if account.expired {
        found.push(format!("the password of `{}` is past its VALID UNTIL", account.name));
    }
    if account.connection_limit == 0 {
        found.push(format!("`{}` may open no connection", account.name));
    }
    if alternate.superuser != pair.owner.superuser {
        found.push(format!("one of `{name}` and `{owner}` is a superuser"));
    }
    for (attribute, _) in alternate.unlike(&pair.owner) {
        found.push(format!("`{name}` has another {attribute} than `{owner}`"));
    }
    if !alternate.joined {
        found.push(format!("`{name}` is no member of `{owner}` that has its rights and may run as it"));
    }
    for setting in pair.stray_settings() {
        let place = setting
            .database
            .map(|database| format!(" in the database `{}`", cut(&database)))
            .unwrap_or_default();
        found.push(if setting.name == ROLE {
            format!("`{name}` does not run as `{owner}` does{place}")
        } else {
            // The names alone: a setting may hold a secret.
            format!("`{name}` has another setting `{}` than `{owner}`{place}", cut(&setting.name))
        });
    }
    if let Some(database) = &pair.own_session_in
        && pair.runs_as(database) != pair.master
    {
        let (account, runs_as) = (&pair.account, cut(&pair.master));
        found.push(format!(
            "a session of `{account}` runs as `{runs_as}` and not as `{}`",
            cut(&pair.runs_as(database))
        ));
    }
    of_its_own(pair, own, &mut found);
    let more = found.len().saturating_sub(limits::DIFFERENCES_MAX);
    found.truncate(limits::DIFFERENCES_MAX);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found
}

/// What the alternate has and the owner has not: nobody who runs as the owner can use it.
fn of_its_own(pair: &Pair, own: &Own, found: &mut Vec<String>) {
    let (owner, name) = (&pair.owner.name, &pair.alternate_name);
    for holding in &own.holdings {
        let count = holding.count;
        let place =
            holding.database.as_ref().map(|it| format!(" in the database `{}`", cut(it))).unwrap_or_default();
        let names = holding.names.as_ref().filter(|names| !names.is_empty());
        let names = names.map(|names| {
            let names: Vec<_> = names.iter().map(|it| cut(it)).collect();
            let dots = if count > names.len() as u64 { ", ..." } else { "" };
            format!(" ({}{dots})", names.join(", "))
        });
        let names = names.unwrap_or_default();
        found.push(match holding.kind {
            HoldingKind::Owned => format!(
                "`{name}` owns {count} objects{place}{names} that `{owner}` does not: run {}{}",
                reassign(name, owner),
                if place.is_empty() { "" } else { " there" }
            ),
            HoldingKind::Granted => format!(
                "`{name}` was granted rights on {count} objects{place}{names}: grant them to `{owner}`, and revoke them from `{name}`"
            ),
            HoldingKind::Policy => {
                format!("{count} row security policies{place}{names} name `{name}`: name `{owner}` in them")
            }
        });
    }
    for right in &own.rights {
        found.push(format!(
            "`{name}` was granted {} on {}, which `{owner}` has not: grant it to `{owner}`",
            cut(&right.privileges),
            cut(&right.on)
        ));
    }
    for role in &own.memberships {
        found.push(format!(
            "`{name}` is a member of `{0}` and `{owner}` is not: GRANT `{0}` to `{owner}`",
            cut(role)
        ));
    }
}

/// A name from a catalog, at a length that leaves room for others.
pub(super) fn cut(name: &str) -> String {
    let mut cut: String = name.chars().take(limits::DIFFERENCE_NAME_CHARS_MAX).collect();
    if cut.len() < name.len() {
        cut.push_str("...");
    }
    cut
}
