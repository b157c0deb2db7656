//! The rotators that come with Pawl: components, their digests, and the grants that each needs.
//!
//! Built from the sources beside this crate, the same bytes from every checkout, so that a digest can be checked by whoever
//! builds it again.

use std::collections::BTreeSet;

use pawl_core::function::{Digest, Engine, Grants};

include!(concat!(env!("OUT_DIR"), "/rotators.rs"));

/// A rotator that comes with Pawl.
#[derive(Clone, Copy)]
pub struct Builtin {
    /// The function's name.
    pub name: &'static str,
    /// What it does, in one line.
    pub description: &'static str,
    /// The component.
    pub bytes: &'static [u8],
    /// SHA-256 of it.
    pub digest: Digest,
    /// The database engines that it logs in to, each at the place that the secret itself names. None for a rotator that logs in
    /// to no database: it reaches nothing until an operator grants it something.
    engines: &'static [Engine],
}

impl Builtin {
    /// The least that it can work with.
    #[must_use]
    pub fn grants(&self) -> Grants {
        let engines: BTreeSet<_> = self.engines.iter().copied().collect();
        Grants { own_target: !engines.is_empty(), engines, ..Grants::default() }
    }

    /// The rotator of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|builtin| builtin.name == name)
    }
}

/// Every one of them.
pub const ALL: &[Builtin] = &[
    Builtin {
        name: "pawl-http-api-key",
        description: "Rotates an API key that a service takes over HTTP; what it may ask of whom is the operator's to grant",
        bytes: PAWL_ROTATOR_HTTP_API_KEY,
        digest: Digest::from_bytes(PAWL_ROTATOR_HTTP_API_KEY_DIGEST),
        engines: &[],
    },
    Builtin {
        name: "pawl-mariadb-alternating-users",
        description: "Rotates between two MariaDB users that can do the same, by a master's login",
        bytes: PAWL_ROTATOR_MYSQL_ALTERNATING,
        digest: Digest::from_bytes(PAWL_ROTATOR_MYSQL_ALTERNATING_DIGEST),
        engines: &[Engine::Mariadb],
    },
    Builtin {
        name: "pawl-mariadb-single-user",
        description: "Rotates the password of a MariaDB account, which changes its own password",
        bytes: PAWL_ROTATOR_MYSQL,
        digest: Digest::from_bytes(PAWL_ROTATOR_MYSQL_DIGEST),
        engines: &[Engine::Mariadb],
    },
    Builtin {
        name: "pawl-mysql-alternating-users",
        description: "Rotates between two MySQL users that can do the same, by a master's login",
        bytes: PAWL_ROTATOR_MYSQL_ALTERNATING,
        digest: Digest::from_bytes(PAWL_ROTATOR_MYSQL_ALTERNATING_DIGEST),
        engines: &[Engine::Mysql],
    },
    Builtin {
        name: "pawl-mysql-single-user",
        description: "Rotates the password of a MySQL account, which changes its own password",
        bytes: PAWL_ROTATOR_MYSQL,
        digest: Digest::from_bytes(PAWL_ROTATOR_MYSQL_DIGEST),
        engines: &[Engine::Mysql],
    },
    Builtin {
        name: "pawl-postgres-single-user",
        description: "Rotates the password of a PostgreSQL role, which changes its own password",
        bytes: PAWL_ROTATOR_POSTGRES,
        digest: Digest::from_bytes(PAWL_ROTATOR_POSTGRES_DIGEST),
        engines: &[Engine::Postgres],
    },
    Builtin {
        name: "pawl-postgres-alternating-users",
        description: "Rotates between two PostgreSQL logins that are one role, by a master's login",
        bytes: PAWL_ROTATOR_POSTGRES_ALTERNATING,
        digest: Digest::from_bytes(PAWL_ROTATOR_POSTGRES_ALTERNATING_DIGEST),
        engines: &[Engine::Postgres],
    },
    Builtin {
        name: "pawl-redis-acl-user",
        description: "Rotates the password of a Redis or Valkey ACL user; which servers it may reach is the operator's to grant",
        bytes: PAWL_ROTATOR_REDIS,
        digest: Digest::from_bytes(PAWL_ROTATOR_REDIS_DIGEST),
        engines: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_is_a_component_and_carries_no_directory_of_its_builder() {
        for builtin in ALL {
            // The magic number, and the version of the component binary format.
            assert_eq!(&builtin.bytes[..8], b"\0asm\x0d\0\x01\0", "{}", builtin.name);
            let text = String::from_utf8_lossy(builtin.bytes);
            let root = env!("CARGO_MANIFEST_DIR").trim_end_matches("/rotators/builtin");
            assert!(!text.contains(root), "{} holds {root}", builtin.name);
        }
    }

    #[test]
    fn a_builtin_may_reach_its_own_database_and_nothing_else() {
        let grants = Builtin::named("pawl-postgres-single-user").unwrap().grants();
        assert!(grants.own_target && grants.targets.is_empty() && grants.http.is_empty());
        for name in ["pawl-http-api-key", "pawl-redis-acl-user"] {
            assert_eq!(Builtin::named(name).unwrap().grants(), Grants::default(), "{name}");
        }
        assert!(Builtin::named("nobody").is_none());
    }
}
