//! Statements of a rotator's own, against a real server.

use super::*;

fn row(columns: &[Option<&str>]) -> Vec<Option<String>> {
    columns.iter().map(|text| text.map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_takes_text_and_gives_text_and_is_alone() {
    let server = Server::start(SCRAM, None);
    let admin = server.admin().await;
    admin.batch_execute("CREATE ROLE app LOGIN PASSWORD 'app-canary'").await.unwrap();
    let session = attempt(&driver(None), &plain(server.port, "app", "app-canary")).await.unwrap();
    session.execute("CREATE TEMP TABLE t (id int, name text, at timestamptz)", &[]).await.unwrap();
    let insert = "INSERT INTO t VALUES ($1, $2, $3), (8, 'b', NULL)";
    let hostile = "x'); DROP TABLE t; --";
    let touched = session.execute(insert, &row(&[Some("7"), Some(hostile), None])).await;
    assert_eq!(touched, Ok(2));
    let rows = session.query("SELECT id, name, at::text, id > 7, 1.5::float8 FROM t ORDER BY id", &[]).await;
    let expected = [
        row(&[Some("7"), Some(hostile), None, Some("false"), Some("1.5")]),
        row(&[Some("8"), Some("b"), None, Some("true"), Some("1.5")]),
    ];
    assert_eq!(rows.unwrap(), expected);
    assert_eq!(session.query("SELECT id FROM t WHERE id = $1", &row(&[Some("9")])).await, Ok(Vec::new()));

    // Several in one are none, and so is what has the wrong number of parameters or cannot be shown.
    for (statement, parameters) in [
        ("SELECT 1; DROP TABLE t", &[][..]),
        ("DELETE FROM t; SELECT 1", &[]),
        ("COMMIT; DROP TABLE t", &[]),
        ("SELECT $1::text", &[]),
        ("SELECT 1", &[Some("1")]),
        ("SELECT at FROM t", &[]),
        ("SELECT $1::text", &[Some("a\0b")]),
    ] {
        let failed = session.query(statement, &row(parameters)).await.unwrap_err();
        assert!(
            matches!(failed, StatementFailure::Rejected(_) | StatementFailure::Unfit(_)),
            "{statement}: {failed}"
        );
        assert!(
            session.execute(statement, &row(parameters)).await.is_err() || statement == "SELECT at FROM t"
        );
    }
    // What an account may not do is the server's to refuse, and no word of the server's comes back.
    for statement in [
        "COPY t TO PROGRAM 'cat'",
        "COPY t FROM '/etc/passwd'",
        "SELECT rolpassword FROM pg_authid",
        "ALTER ROLE postgres PASSWORD 'known-canary'",
        "SELECT name::int FROM t WHERE id = 7",
    ] {
        let failed = session.query(statement, &[]).await.unwrap_err().to_string();
        assert!(failed.starts_with("SQLSTATE ") && failed.len() == 14, "{statement}: {failed}");
    }
    // More than a server may say in a session ends it.
    let flood = session.query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)", &[]).await;
    assert!(matches!(flood, Err(StatementFailure::Lost(_))));
    assert!(session.ping().await.is_err());
}
