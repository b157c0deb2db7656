//! Two logins that are one role for an application.

use tokio_postgres::{Client, NoTls};

use super::*;

/// A server with a master that is no superuser, and its role `app`.
struct Ground {
    server: Server,
    admin: Client,
}

const FIRST: &str = "first-canary";

impl Ground {
    async fn new() -> Self {
        let server = Server::start(SCRAM, None);
        let admin = server.admin().await;
        // Verifiers, so that the test itself puts no password into the log.
        let verifier = postgres_protocol::password::scram_sha_256(FIRST.as_bytes());
        // Since PostgreSQL 16 whoever makes a role has the right to give it to others.
        let roles = format!(
            "CREATE ROLE master LOGIN CREATEROLE CREATEDB PASSWORD '{verifier}'; SET ROLE master; \
             CREATE ROLE app LOGIN PASSWORD '{verifier}'; RESET ROLE; GRANT CREATE ON SCHEMA public TO app; \
             GRANT SET ON PARAMETER myapp.tenant, myapp.path TO master"
        );
        let ground = Self { server, admin };
        ground.run(&roles).await;
        ground
    }

    async fn run(&self, sql: &str) {
        self.admin.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    async fn text(&self, sql: &str) -> String {
        text(&self.admin, sql).await
    }

    /// A session of the driver as the master.
    async fn master(&self) -> Box<dyn Session> {
        attempt(&driver(None), &plain(self.server.port, "master", FIRST)).await.unwrap()
    }

    /// An application's session.
    async fn application(&self, user: &str, password: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.server.port).user(user).dbname("postgres").password(password);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn mirror(&self, like: &str, account: &str, password: &str) -> Result<(), StatementFailure> {
        let session = self.master().await;
        session.mirror_account(like, account, &secret(password), yes()).await?;
        assert_eq!(session.differences(like, account).await?, Vec::<String>::new());
        assert_eq!(session.differences(account, like).await?, Vec::<String>::new());
        session.ping().await
    }

    /// Why the master may not; nothing has changed then.
    async fn refusal(&self, like: &str, account: &str) -> String {
        let before = self.everything().await;
        let refused = self.mirror(like, account, "unused-canary").await.unwrap_err();
        assert_eq!(self.everything().await, before, "{refused}");
        match refused {
            StatementFailure::Unfit(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// All that a rotation could change.
    async fn everything(&self) -> String {
        self.text(
            "SELECT (SELECT string_agg(a::text, ' ' ORDER BY a.oid) FROM pg_authid a)
                 || (SELECT coalesce(string_agg(m::text, ' ' ORDER BY m::text), '') FROM pg_auth_members m)
                 || (SELECT coalesce(string_agg(s::text, ' ' ORDER BY s::text), '') FROM pg_db_role_setting s)",
        )
        .await
    }

    fn stop(self) -> String {
        drop(self.admin);
        let log = self.server.stop();
        assert!(!log.contains("canary"), "{log}");
        log
    }
}

async fn text(client: &Client, sql: &str) -> String {
    let row = client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    row.get(0)
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_under_either_name_belongs_to_one_role() {
    let ground = Ground::new().await;
    let mut sessions = vec![ground.application("app", FIRST).await.unwrap()];
    run(&sessions[0], "CREATE TABLE t0 (n integer)").await;
    let mut password = FIRST.to_owned();
    for turn in 1..=4 {
        let (like, account) = if turn % 2 == 1 { ("app", "app_clone") } else { ("app_clone", "app") };
        let new = format!("canary-of-turn-{turn}");
        ground.mirror(like, account, &new).await.unwrap();
        // The password in use stays as it is.
        drop(ground.application(like, &password).await.unwrap());
        password = new;
        let session = ground.application(account, &password).await.unwrap();
        assert_eq!(
            text(&session, "SELECT current_user || ' ' || session_user").await,
            format!("app {account}")
        );
        // The driver's own session sees the same of itself.
        let own = attempt(&driver(None), &plain(ground.server.port, account, &password)).await.unwrap();
        assert_eq!(own.differences(like, account).await.unwrap(), Vec::<String>::new());
        // A pool's reset leaves it so.
        run(&session, "DISCARD ALL").await;
        run(&session, "RESET ROLE").await;
        run(&session, &format!("CREATE TABLE t{turn} (n integer)")).await;
        sessions.push(session);
        for table in 0..=turn {
            for session in &sessions {
                run(
                    session,
                    &format!("INSERT INTO t{table} VALUES (1); ALTER TABLE t{table} ALTER n SET DEFAULT 0"),
                )
                .await;
            }
        }
    }
    let owners =
        ground.text("SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname = 'public'");
    assert_eq!(owners.await, "app");

    // What is granted and revoked later holds for both, at once.
    ground.run("CREATE TABLE theirs (n integer); GRANT SELECT ON theirs TO app").await;
    for session in &sessions {
        run(session, "SELECT * FROM theirs").await;
    }
    ground.run("REVOKE SELECT ON theirs FROM app").await;
    for session in &sessions {
        assert!(session.batch_execute("SELECT * FROM theirs").await.is_err());
    }
    drop(sessions);
    ground.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_membership_carries_is_taken_from_the_owner_at_each_turn() {
    let ground = Ground::new().await;
    let attributes = |role: &str| {
        format!(
            "SELECT row(rolsuper, rolcreatedb, rolcanlogin, rolconnlimit, coalesce(rolvaliduntil, 'infinity'))::text
             FROM pg_roles WHERE rolname = '{role}'"
        )
    };
    let settings = |role: &str| {
        format!(
            "SELECT coalesce(string_agg(setdatabase || ' ' || item, ';' ORDER BY setdatabase, item), '')
             FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = setrole, unnest(setconfig) item
             WHERE rolname = '{role}' AND item NOT LIKE 'role=%'"
        )
    };
    let changes = [
        "ALTER ROLE app CREATEDB CONNECTION LIMIT 7 VALID UNTIL '2099-12-31 12:00:00.5+03'",
        r#"ALTER ROLE app SET search_path = "$user", "od""d, na me", '', public; ALTER ROLE app SET myapp.tenant = 'O''Brien \ "x"'"#,
        "ALTER ROLE app IN DATABASE postgres SET work_mem = '8MB'; ALTER ROLE app IN DATABASE postgres SET search_path = ''",
        "ALTER ROLE app SET statement_timeout = '5s'; ALTER ROLE app SET default_transaction_read_only = on",
        "ALTER ROLE app IN DATABASE postgres RESET ALL; ALTER ROLE app SET search_path = public; ALTER ROLE app SET DateStyle = 'German, DMY'",
        "ALTER ROLE app NOCREATEDB CONNECTION LIMIT -1 VALID UNTIL 'infinity'; ALTER ROLE app RESET ALL",
        // On the alternate, and while nobody looked.
        "ALTER ROLE app_clone SET work_mem = '9MB'; ALTER ROLE app_clone CONNECTION LIMIT 3 NOINHERIT NOLOGIN; REVOKE app FROM app_clone",
    ];
    for (turn, change) in changes.iter().enumerate() {
        // Nobody has the alternate before the first turn.
        ground.run(change).await;
        if turn > 0 {
            let left = ground.master().await.differences("app", "app_clone").await.unwrap();
            assert!(!left.is_empty(), "{change}");
        }
        ground.mirror("app", "app_clone", &format!("canary-{turn}")).await.unwrap();
        for question in [attributes("app"), settings("app")] {
            let other = question.replace("'app'", "'app_clone'");
            assert_eq!(ground.text(&other).await, ground.text(&question).await, "{change}");
        }
        // As the server applies them, and not only as it keeps them.
        ground.run("ALTER ROLE app LOGIN").await;
        let owner = ground.application("app", FIRST).await.unwrap();
        let alternate = ground.application("app_clone", &format!("canary-{turn}")).await.unwrap();
        let shown = "SELECT string_agg(current_setting(name, true), '|') FROM unnest(
            ARRAY['search_path', 'myapp.tenant', 'work_mem', 'statement_timeout', 'datestyle']) name";
        assert_eq!(text(&alternate, shown).await, text(&owner, shown).await, "{change}");
        assert_eq!(text(&alternate, "SELECT current_user::text").await, "app", "{change}");
    }
    ground.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_of_another_tool_is_repaired_or_refused_in_words_that_say_what_to_do() {
    let ground = Ground::new().await;
    // Made beforehand by a person: no login, no membership.
    ground.run("SET ROLE master; CREATE ROLE app_clone NOLOGIN NOINHERIT; RESET ROLE").await;
    ground.mirror("app", "app_clone", "canary-1").await.unwrap();
    drop(ground.application("app_clone", "canary-1").await.unwrap());

    // As AWS's function makes it: whoever came first is the owner, also where the clone is in use.
    ground.run("DROP OWNED BY app_clone; DROP ROLE app_clone; SET ROLE master; CREATE ROLE app_clone LOGIN; GRANT app TO app_clone; RESET ROLE").await;
    ground.run("ALTER ROLE app_clone PASSWORD 'SCRAM-SHA-256$4096:AAAA$AAAA:AAAA'").await;
    ground.run("CREATE TABLE made_by_clone (n integer); ALTER TABLE made_by_clone OWNER TO app_clone").await;
    for (like, account) in [("app", "app_clone"), ("app_clone", "app")] {
        let why = ground.refusal(like, account).await;
        assert!(why.contains("`app_clone` owns 1 objects (table public.made_by_clone"), "{why}");
        assert!(why.contains(r#"REASSIGN OWNED BY "app_clone" TO "app""#), "{why}");
    }
    ground.run(r#"REASSIGN OWNED BY "app_clone" TO "app""#).await;
    ground.mirror("app_clone", "app", "canary-2").await.unwrap();
    ground.mirror("app", "app_clone", "canary-3").await.unwrap();
    let session = ground.application("app_clone", "canary-3").await.unwrap();
    run(&session, "INSERT INTO made_by_clone VALUES (1)").await;

    // Somebody else's role of that name.
    ground.run("SET ROLE master; CREATE ROLE other LOGIN; CREATE ROLE other_clone; CREATE ROLE reader; GRANT other_clone TO reader; RESET ROLE").await;
    let why = ground.refusal("other", "other_clone").await;
    assert!(why.contains("its members (reader) would get what `other` may"), "{why}");
    drop(session);
    ground.stop();
}

/// What a person gives the alternate, how it is told, and what makes it the owner's as well.
const GIFTS: [(&str, &str, &str); 10] = [
    (
        "CREATE TABLE gift (n integer, m integer); GRANT SELECT, INSERT ON gift TO app_clone",
        "granted INSERT, SELECT on table public.gift",
        "GRANT SELECT, INSERT ON gift TO app",
    ),
    (
        "GRANT UPDATE (n) ON gift TO app_clone",
        "granted UPDATE on column n of table public.gift",
        "GRANT UPDATE ON gift TO app",
    ),
    (
        "CREATE SCHEMA gifts; GRANT USAGE ON SCHEMA gifts TO app_clone",
        "granted USAGE on schema gifts",
        "GRANT USAGE ON SCHEMA gifts TO PUBLIC",
    ),
    (
        "CREATE SEQUENCE gifts.numbers; GRANT USAGE ON SEQUENCE gifts.numbers TO app_clone",
        "granted USAGE on sequence gifts.numbers",
        "GRANT USAGE ON SEQUENCE gifts.numbers TO app",
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION f() TO app_clone",
        "granted EXECUTE on function public.f()",
        "CREATE ROLE runners; GRANT runners TO app; GRANT EXECUTE ON FUNCTION f() TO runners",
    ),
    (
        "GRANT CREATE ON DATABASE elsewhere TO app_clone",
        "granted CREATE on database elsewhere",
        "GRANT CREATE ON DATABASE elsewhere TO app",
    ),
    (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app_clone",
        "granted SELECT on default privileges",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app",
    ),
    ("CREATE ROLE club; GRANT club TO app_clone", "`app_clone` is a member of `club`", "GRANT club TO app"),
    (
        "CREATE POLICY p ON gift TO app_clone USING (true)",
        "policies (policy p on table public.gift) name `app_clone`",
        "ALTER POLICY p ON gift TO app",
    ),
    (
        "ALTER DATABASE elsewhere OWNER TO app_clone",
        "owns 1 objects (database elsewhere)",
        "ALTER DATABASE elsewhere OWNER TO app",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_alternate_was_given_by_hand_is_told_before_it_is_lost() {
    let ground = Ground::new().await;
    ground.run("CREATE DATABASE elsewhere").await;
    ground.mirror("app", "app_clone", "canary-1").await.unwrap();
    for (gift, sentence, repair) in GIFTS {
        ground.run(gift).await;
        let told = ground.master().await.differences("app_clone", "app").await.unwrap();
        assert!(told.len() == 1 && told[0].contains(sentence), "{gift}: {told:?}");
        for (like, account) in [("app_clone", "app"), ("app", "app_clone")] {
            let why = ground.refusal(like, account).await;
            assert!(why.contains(sentence) && why.contains("nothing was changed"), "{gift}: {why}");
        }
        ground.run(repair).await;
        assert_eq!(
            ground.master().await.differences("app_clone", "app").await.unwrap(),
            Vec::<String>::new(),
            "{repair}"
        );
    }
    ground.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_alternate_has_in_another_database_is_told_as_well() {
    let ground = Ground::new().await;
    ground.run("CREATE DATABASE elsewhere").await;
    ground.mirror("app", "app_clone", "canary-1").await.unwrap();
    let mut config = tokio_postgres::Config::new();
    config
        .host("127.0.0.1")
        .port(ground.server.port)
        .user("postgres")
        .dbname("elsewhere")
        .password(ADMIN_PASSWORD);
    let (there, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    run(&there, "CREATE TABLE far (n integer); GRANT SELECT ON far TO app_clone; CREATE TABLE own (n integer); ALTER TABLE own OWNER TO app_clone").await;
    let told = ground.master().await.differences("app", "app_clone").await.unwrap().join("; ");
    assert!(told.contains("rights on 1 objects in the database `elsewhere`"), "{told}");
    assert!(told.contains(r#"owns 1 objects in the database `elsewhere` that `app` does not: run REASSIGN OWNED BY "app_clone" TO "app" there"#), "{told}");
    drop(there);
    ground.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_copied_is_refused_and_a_master_is_told_what_it_lacks() {
    let ground = Ground::new().await;
    for (state, sentence, undo) in [
        ("ALTER ROLE app SUPERUSER", "is a superuser", "ALTER ROLE app NOSUPERUSER"),
        ("ALTER ROLE app VALID UNTIL '2001-01-01'", "VALID UNTIL", "ALTER ROLE app VALID UNTIL 'infinity'"),
        ("ALTER ROLE app CONNECTION LIMIT 0", "no connection", "ALTER ROLE app CONNECTION LIMIT -1"),
        (
            "CREATE ROLE app_clone SUPERUSER",
            "`app_clone` is a superuser and `app` is not",
            "DROP ROLE app_clone",
        ),
        ("ALTER ROLE app BYPASSRLS", "the BYPASSRLS that `app` has", "ALTER ROLE app NOBYPASSRLS"),
        (
            "ALTER ROLE app SET log_statement = 'all'",
            "GRANT SET ON PARAMETER \"log_statement\" TO \"master\"",
            "ALTER ROLE app RESET ALL",
        ),
        ("ALTER ROLE master NOCREATEROLE", "CREATEROLE", "ALTER ROLE master CREATEROLE"),
    ] {
        ground.run(state).await;
        let why = ground.refusal("app", "app_clone").await;
        assert!(why.contains(sentence), "{state}: {why}");
        ground.run(undo).await;
    }
    let why = ground.refusal("nobody", "nobody_clone").await;
    assert!(why.contains("no role `nobody`"), "{why}");
    let why = ground.refusal("app", "app").await;
    assert!(why.contains("itself"), "{why}");
    // A role that somebody else made.
    ground.run("CREATE ROLE theirs LOGIN").await;
    if ground.text("SELECT current_setting('server_version_num')").await.parse::<u32>().unwrap() >= 160_000 {
        let why = ground.refusal("theirs", "theirs_clone").await;
        assert!(why.contains(r#"GRANT "theirs" TO "master" WITH ADMIN OPTION"#), "{why}");
        ground.run(r#"GRANT "theirs" TO "master" WITH ADMIN OPTION"#).await;
    }
    ground.mirror("theirs", "theirs_clone", "canary").await.unwrap();
    ground.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_word_that_is_no_leaves_nothing_behind() {
    let ground = Ground::new().await;
    let before = ground.everything().await;
    let session = ground.master().await;
    let taken =
        session.mirror_account("app", "app_clone", &secret("canary"), Box::pin(async { false })).await;
    assert_eq!(taken.unwrap_err(), StatementFailure::TakenBack);
    assert_eq!(ground.everything().await, before);
    session.mirror_account("app", "app_clone", &secret("canary"), yes()).await.unwrap();
    drop(session);
    // A master that reads only by default, and one whose names and formats mean something else.
    ground
        .run(
            "ALTER ROLE master SET default_transaction_read_only = on; ALTER ROLE master SET datestyle = 'German';
             ALTER ROLE master SET standard_conforming_strings = off; ALTER ROLE app SET myapp.path = 'a\\b''c'",
        )
        .await;
    ground.run("ALTER ROLE app VALID UNTIL '2098-02-03'").await;
    ground.mirror("app", "app_clone", "canary-2").await.unwrap();
    let session = ground.application("app_clone", "canary-2").await.unwrap();
    assert_eq!(text(&session, "SHOW myapp.path").await, "a\\b'c");
    drop(session);
    ground.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_are_names() {
    let ground = Ground::new().await;
    ground.run("CREATE ROLE victim LOGIN").await;
    let victim = ground.text("SELECT a::text FROM pg_authid a WHERE rolname = 'victim'").await;
    let long = "n".repeat(57);
    let umlauts = "ü".repeat(28);
    let names = [
        "\"",
        "'",
        "a b",
        "%s%n",
        "x'; DROP ROLE victim; --",
        "x\" SUPERUSER; --",
        "back\\slash",
        "Ünïcödé ʞ",
        "$1",
        &long,
        &umlauts,
    ];
    for name in names {
        let role = format!("\"{}\"", name.replace('"', "\"\""));
        ground.run(&format!("SET ROLE master; CREATE ROLE {role} LOGIN; RESET ROLE; ALTER ROLE {role} SET search_path = {role}, public")).await;
        let clone = format!("{name}_clone");
        ground.mirror(name, &clone, "canary").await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let session = ground.application(&clone, "canary").await.unwrap();
        assert_eq!(text(&session, "SELECT current_user::text").await, name);
        assert_eq!(text(&session, "SELECT (current_schemas(false))::text").await, "{public}");
        ground.mirror(&clone, name, "canary").await.unwrap_or_else(|error| panic!("{name}: {error}"));
        drop(ground.application(name, "canary").await.unwrap());
    }
    assert_eq!(ground.text("SELECT a::text FROM pg_authid a WHERE rolname = 'victim'").await, victim);
    for name in ["n".repeat(58), "ü".repeat(29)] {
        ground.run(&format!("SET ROLE master; CREATE ROLE \"{name}\" LOGIN; RESET ROLE")).await;
        let why = ground.refusal(&name, &format!("{name}_clone")).await;
        assert!(why.contains("64 bytes"), "{why}");
    }
    ground.stop();
}
