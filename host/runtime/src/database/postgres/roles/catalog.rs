//! What a server's catalog says of two roles.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::statement::{Unfit, literal, quoted};

/// A setting that a role begins its sessions with: in one database, or in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Setting {
    pub(super) database: Option<String>,
    pub(super) name: String,
}

/// Settings and their values.
pub(super) type Settings = BTreeMap<Setting, String>;

/// The setting that makes a login run as another role.
pub(super) const ROLE: &str = "role";

/// One of the two.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Role {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) login: bool,
    pub(super) inherit: bool,
    pub(super) superuser: bool,
    pub(super) createdb: bool,
    pub(super) createrole: bool,
    pub(super) replication: bool,
    pub(super) bypassrls: bool,
    pub(super) connection_limit: i32,
    pub(super) valid_until: String,
    pub(super) expired: bool,
    #[serde(deserialize_with = "settings")]
    pub(super) settings: Settings,
    /// Whether it is a member of the other one, also by way of further roles.
    pub(super) below: bool,
    /// Whether it is a direct member of the other one, with its rights and free to run as it.
    pub(super) joined: bool,
}

/// The two, as they were found.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    /// Whose rights the session has.
    pub(super) master: String,
    /// Who has logged in.
    pub(super) login: String,
    pub(super) database: String,
    /// 160004 is 16.4.
    pub(super) version: u32,
    pub(super) roles: Vec<Role>,
}

/// What a role has that does not come by another.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Own {
    pub(super) holdings: Vec<Holding>,
    pub(super) rights: Vec<Granted>,
    /// Roles that it is a member of and its owner is not.
    pub(super) memberships: Vec<String>,
    /// Roles that are members of it and not of its owner.
    pub(super) members: Vec<String>,
}

/// Things in one place that name a role.
#[derive(Debug, Deserialize)]
pub(super) struct Holding {
    /// Another database than the session's.
    pub(super) database: Option<String>,
    pub(super) kind: HoldingKind,
    pub(super) count: u64,
    /// Some of them, where the session can see them.
    pub(super) names: Option<Vec<String>>,
}

/// How they name it: `pg_shdepend.deptype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum HoldingKind {
    #[serde(rename = "o")]
    Owned,
    #[serde(rename = "a")]
    Granted,
    #[serde(rename = "r")]
    Policy,
}

/// Rights on one thing.
#[derive(Debug, Deserialize)]
pub(super) struct Granted {
    pub(super) on: String,
    pub(super) privileges: String,
}

/// What the catalog has: `[database or null, "name=value"]`.
fn settings<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Settings, D::Error> {
    let items = Vec::<(Option<String>, String)>::deserialize(from)?;
    let split = items.into_iter().filter_map(|(database, item)| {
        let (name, value) = item.split_once('=')?;
        Some((Setting { database, name: name.to_owned() }, value.to_owned()))
    });
    Ok(split.collect())
}

/// What a session sets before it looks, so that nobody's functions and formats come between.
pub(super) const CALM: &str =
    "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'";

/// Asks for two roles: one row of one JSON text, a [`Found`].
pub(super) fn find(one: &str, other: &str) -> Result<String, Unfit> {
    let names = format!("({}, {})", literal(one)?, literal(other)?);
    // Before PostgreSQL 16 a membership always lets its member run as the role, and the member's own `rolinherit` says the rest.
    Ok(format!(
        "SELECT json_build_object('master', current_user, 'login', session_user, 'database', current_database(), 'version', current_setting('server_version_num')::int, 'roles', \
         coalesce(json_agg(json_build_object('id', r.oid::bigint, 'name', r.rolname, 'login', r.rolcanlogin, \
         'inherit', r.rolinherit, 'superuser', r.rolsuper, 'createdb', r.rolcreatedb, 'createrole', r.rolcreaterole, \
         'replication', r.rolreplication, 'bypassrls', r.rolbypassrls, 'connection_limit', r.rolconnlimit, \
         'valid_until', coalesce(r.rolvaliduntil, 'infinity')::text, 'expired', coalesce(r.rolvaliduntil <= now(), false), \
         'settings', (SELECT coalesce(json_agg(json_build_array(d.datname, c.item)), '[]') FROM pg_db_role_setting s \
         LEFT JOIN pg_database d ON d.oid = s.setdatabase CROSS JOIN unnest(s.setconfig) AS c(item) WHERE s.setrole = r.oid), \
         'below', EXISTS (WITH RECURSIVE above(role) AS (SELECT m.roleid FROM pg_auth_members m WHERE m.member = r.oid \
         UNION SELECT m.roleid FROM pg_auth_members m JOIN above ON m.member = above.role) \
         SELECT 1 FROM above JOIN pg_roles o ON o.oid = above.role WHERE o.rolname IN {names} AND o.oid <> r.oid), \
         'joined', (SELECT coalesce(bool_or(coalesce((to_jsonb(m)->>'inherit_option')::bool, true)) \
         AND bool_or(coalesce((to_jsonb(m)->>'set_option')::bool, true)), false) FROM pg_auth_members m \
         JOIN pg_roles o ON o.oid = m.roleid WHERE m.member = r.oid AND o.rolname IN {names} AND o.oid <> r.oid))), '[]'))::text \
         FROM pg_roles r WHERE r.rolname IN {names}"
    ))
}

/// Asks what `alternate` has of its own, and `owner` has not: one row of one JSON text, an [`Own`].
pub(super) fn own(alternate: u32, owner: u32) -> String {
    let (alternate, owner) = (format!("{alternate}::oid"), format!("{owner}::oid"));
    let here = "(SELECT oid FROM pg_database WHERE datname = current_database())";
    // What an open session keeps for itself goes with it.
    let temporary = "s.classid = 'pg_class'::regclass AND EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = s.objid AND c.relpersistence = 't')";
    // Rights within sight are looked at one by one, below.
    let holdings = format!(
        "SELECT d.datname, s.deptype, count(*) AS number, (array_agg(s.what ORDER BY s.objid) FILTER (WHERE s.what IS NOT NULL))[1:{NAMED}] AS names \
         FROM (SELECT *, CASE WHEN s.dbid IN (0, {here}) THEN pg_describe_object(s.classid, s.objid, s.objsubid) END AS what \
         FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = {alternate} \
         AND (s.deptype IN ('o', 'r') OR s.deptype = 'a' AND (s.dbid NOT IN (0, {here}) OR s.classid::regclass::text = 'pg_parameter_acl')) \
         AND NOT (s.dbid = {here} AND {temporary})) s \
         LEFT JOIN pg_database d ON d.oid = s.dbid AND s.dbid <> {here} GROUP BY 1, 2"
    );
    let lists = [
        "SELECT 'pg_class', c.oid, 0, c.relowner, c.relacl FROM pg_class c",
        "SELECT 'pg_class', c.oid, a.attnum, c.relowner, a.attacl FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid",
        "SELECT 'pg_namespace', oid, 0, nspowner, nspacl FROM pg_namespace",
        "SELECT 'pg_proc', oid, 0, proowner, proacl FROM pg_proc",
        "SELECT 'pg_type', oid, 0, typowner, typacl FROM pg_type",
        "SELECT 'pg_language', oid, 0, lanowner, lanacl FROM pg_language",
        "SELECT 'pg_foreign_data_wrapper', oid, 0, fdwowner, fdwacl FROM pg_foreign_data_wrapper",
        "SELECT 'pg_foreign_server', oid, 0, srvowner, srvacl FROM pg_foreign_server",
        "SELECT 'pg_largeobject', oid, 0, lomowner, lomacl FROM pg_largeobject_metadata",
        "SELECT 'pg_default_acl', oid, 0, defaclrole, defaclacl FROM pg_default_acl",
        "SELECT 'pg_database', oid, 0, datdba, datacl FROM pg_database",
        "SELECT 'pg_tablespace', oid, 0, spcowner, spcacl FROM pg_tablespace",
    ]
    .map(|list| {
        // By way of the index over what depends on the role: most roles have nothing.
        format!(
            "SELECT l.* FROM ({list}) l(class, id, part, owner, acl) WHERE l.id IN (SELECT s.objid FROM pg_shdepend s \
             WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = {alternate} AND s.deptype = 'a' \
             AND s.dbid IN (0, {here}))"
        )
    })
    .join(" UNION ALL ");
    let rights = format!(
        "SELECT pg_describe_object(t.class::regclass, t.id, t.part) AS thing, string_agg(e.privilege_type, ', ') AS privileges \
         FROM ({lists}) t CROSS JOIN LATERAL aclexplode(t.acl) e WHERE e.grantee = {alternate} \
         AND NOT pg_has_role({owner}, t.owner, 'USAGE') \
         AND NOT (t.part <> 0 AND NOT e.is_grantable AND CASE WHEN t.part <> 0 \
         THEN has_column_privilege({owner}, t.id, t.part::int2, e.privilege_type) ELSE false END) \
         AND NOT EXISTS (SELECT 1 FROM aclexplode(t.acl) o WHERE o.privilege_type = e.privilege_type \
         AND (o.is_grantable OR NOT e.is_grantable) \
         AND CASE WHEN o.grantee = 0 THEN true ELSE pg_has_role({owner}, o.grantee, 'USAGE') END) \
         GROUP BY 1 ORDER BY 1 LIMIT {LISTED}"
    );
    let option = |name: &str| format!("coalesce((to_jsonb(m)->>'{name}')::bool, true)");
    format!(
        "SELECT json_build_object('holdings', (SELECT coalesce(json_agg(json_build_object('database', h.datname, \
         'kind', h.deptype, 'count', h.number, 'names', h.names)), '[]') FROM (SELECT * FROM ({holdings}) h \
         ORDER BY 1, 2 LIMIT {LISTED}) h), \
         'rights', (SELECT coalesce(json_agg(json_build_object('on', g.thing, 'privileges', g.privileges)), '[]') FROM ({rights}) g), \
         'memberships', (SELECT coalesce(json_agg(o.rolname), '[]') FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.roleid \
         WHERE m.member = {alternate} AND m.roleid <> {owner} AND NOT pg_has_role({owner}, m.roleid, 'MEMBER')), \
         'members', (SELECT coalesce(json_agg(o.rolname), '[]') FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.member \
         WHERE m.roleid = {alternate} AND o.rolname <> current_user AND NOT pg_has_role(m.member, {owner}, 'MEMBER') \
         AND ({} OR {})))::text",
        option("inherit_option"),
        option("set_option"),
    )
}

/// Things that a holding names.
const NAMED: u32 = 3;
/// Entries of a list that is asked for.
const LISTED: u32 = 20;

/// `REASSIGN OWNED`, for a person to run.
pub(super) fn reassign(from: &str, to: &str) -> String {
    match (quoted(from), quoted(to)) {
        (Ok(from), Ok(to)) => format!("REASSIGN OWNED BY {from} TO {to}"),
        _ => "REASSIGN OWNED".to_owned(),
    }
}
