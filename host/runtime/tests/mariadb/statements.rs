//! Statements of a rotator's own, against a real server.

use super::*;

fn row(columns: &[Option<&str>]) -> Vec<Option<String>> {
    columns.iter().map(|text| text.map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_takes_text_and_gives_text_and_is_alone() {
    let server = MariaDb::start();
    server.create_user("app", "app-canary");
    server.admin("CREATE DATABASE shop; GRANT ALL ON shop.* TO app");
    let at = login(server.port(), "app", "app-canary", &serde_json::json!({"dbname": "shop"}));
    let session = accepted(&driver(None), &at).await;
    session.execute("CREATE TABLE t (id int, name text, at datetime)", &[]).await.unwrap();
    let hostile = "x\\'); DROP TABLE t; --";
    for mode in ["", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"] {
        session.execute(&format!("SET SESSION sql_mode = '{mode}'"), &[]).await.unwrap();
        session.execute("DELETE FROM t", &[]).await.unwrap();
        let insert = "INSERT INTO t VALUES (?, ?, ?), (8, 'b', NULL)";
        assert_eq!(session.execute(insert, &row(&[Some("7"), Some(hostile), None])).await, Ok(2));
        let rows = session.query("SELECT id, name, at, id > 7 FROM t ORDER BY id", &[]).await.unwrap();
        let expected = [
            row(&[Some("7"), Some(hostile), None, Some("0")]),
            row(&[Some("8"), Some("b"), None, Some("1")]),
        ];
        assert_eq!(rows, expected);
        let none = session.query("SELECT id FROM t WHERE id = ?", &row(&[Some("9")])).await;
        assert_eq!(none, Ok(Vec::new()));
    }
    assert_eq!(session.execute("UPDATE t SET name = ? WHERE id = 8", &row(&[Some("ü")])).await, Ok(1));

    for (statement, parameters) in [
        ("SELECT 1; DROP TABLE t", &[][..]),
        ("SELECT ?; DROP TABLE t", &[Some("1")]),
        ("SELECT ?", &[]),
        ("SELECT 1", &[Some("1")]),
        ("SELECT * FROM mysql.global_priv", &[]),
        ("SELECT * FROM t INTO OUTFILE '/tmp/pawl-outfile'", &[]),
        ("SELECT name + 'canary' FROM nowhere", &[]),
    ] {
        let failed = session.query(statement, &row(parameters)).await.unwrap_err();
        assert!(
            matches!(&failed, StatementFailure::Rejected(text) if text.starts_with("error ")),
            "{statement}: {failed}"
        );
    }
    assert_eq!(session.query("SELECT count(*) FROM t", &[]).await, Ok(vec![row(&[Some("2")])]));
    // A file of the host's, which the server would ask for: nobody has offered one.
    let file = session.query("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t", &[]).await;
    assert!(file.is_err(), "{file:?}");
}
