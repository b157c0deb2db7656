use super::*;

fn fields(fields: &[Option<&str>]) -> Fields {
    fields.iter().map(|field| field.map(|text| text.to_owned().into())).collect()
}

/// As MariaDB 10.11.14 keeps them.
#[test]
fn conditions_of_mariadb_are_read() {
    let terms = |json| mariadb_terms(json).unwrap().unwrap();
    let it = terms(
        r#"{"access":34624,"version_id":101114,"plugin":"mysql_native_password","authentication_string":"*2B60",
        "ssl_type":1,"ssl_cipher":"","x509_issuer":"","x509_subject":"","max_questions":5,"max_updates":6,"max_connections":7,
        "max_user_connections":8,"max_statement_time":1.500000,"account_locked":true,"password_last_changed":1795414284,
        "password_lifetime":30,"default_role":"r1"}"#,
    );
    assert_eq!(it.plugins, ["mysql_native_password"]);
    assert_eq!((it.tls, it.locked, it.expiry), (Tls::Any, true, Expiry::Days(30)));
    let limits =
        Limits { queries: 5, updates: 6, connections: 7, user_connections: 8, statement_seconds: 1.5 };
    assert_eq!(it.limits, limits);
    let it = terms(
        r#"{"access":1025,"version_id":101114,"plugin":"mysql_native_password","authentication_string":"*6B",
        "auth_or":[{"plugin":"unix_socket"},{},{"plugin":"ed25519","authentication_string":"ZIg"}],"ssl_type":3,
        "ssl_cipher":"y","x509_issuer":"a'b\\c","x509_subject":"/CN=\"x\"","password_last_changed":1}"#,
    );
    assert_eq!(it.plugins, ["unix_socket", "mysql_native_password", "ed25519"]);
    let (cipher, issuer, subject) = ("y".to_owned(), "a'b\\c".to_owned(), "/CN=\"x\"".to_owned());
    assert_eq!(it.tls, Tls::Specified { cipher, issuer, subject });
    assert_eq!(it.expiry, Expiry::Default);
    assert_eq!(terms(r#"{"access":18446744073709551615}"#).plugins, ["mysql_native_password"]);
    assert_eq!(mariadb_terms(r#"{"access":0,"version_id":101114,"is_role":true}"#), Some(None));
    for strange in [
        "",
        "[]",
        r#"{"access":0,"deny":1}"#,
        r#"{"access":0,"ssl_type":9}"#,
        r#"{"access":0,"plugin":"a b"}"#,
        r#"{"access":0,"auth_or":[{"factor":2}]}"#,
        r#"{"access":0,"password_lifetime":-2}"#,
    ] {
        assert_eq!(mariadb_terms(strange), None, "{strange}");
    }
}

/// In the form of MySQL's manual ("Grant Tables"); not run against the real server.
#[test]
fn conditions_of_mysql_are_read() {
    let five = |plugin, tls, lifetime, locked| {
        ["app", "%", plugin, tls, "c", "i", "s", "1", "2", "3", "4"]
            .map(Some)
            .into_iter()
            .chain([lifetime, Some(locked)])
            .collect::<Vec<_>>()
    };
    let it = mysql_terms(&fields(&five("caching_sha2_password", "ANY", None, "N"))).unwrap().unwrap();
    assert_eq!(it.plugins, ["caching_sha2_password"]);
    assert_eq!(
        (it.tls, it.expiry, it.locked, it.has_old_password),
        (Tls::Any, Expiry::Default, false, false)
    );
    assert_eq!(it.policy, Policy::default());
    let attributes = r#"{"Restrictions": [{"Database": "mysql", "Privileges": ["SELECT"]}], "metadata": {"comment": "x"},
        "additional_password": "$A$005$", "Password_locking": {"failed_login_attempts": 3, "password_lock_time_days": -1}}"#;
    let eight = |attributes| {
        let mut row = five("sha256_password", "SPECIFIED", Some("0"), "Y");
        row.extend([Some("5"), Some("365"), Some("N"), attributes]);
        fields(&row)
    };
    let it = mysql_terms(&eight(Some(attributes))).unwrap().unwrap();
    let (cipher, issuer, subject) = ("c".to_owned(), "i".to_owned(), "s".to_owned());
    assert_eq!(it.tls, Tls::Specified { cipher, issuer, subject });
    assert_eq!((it.expiry, it.locked, it.has_old_password), (Expiry::Never, true, true));
    let policy = Policy {
        history: Some(5),
        reuse_days: Some(365),
        require_current: Some(false),
        failed_logins: 3,
        lock_days: -1,
    };
    assert_eq!(it.policy, policy);
    assert!(mysql_terms(&eight(None)).is_some());
    for strange in [r#"{"multi_factor_authentication": []}"#, "{}x", r#"{"Password_locking": {"since": 1}}"#]
    {
        assert_eq!(mysql_terms(&eight(Some(strange))), None, "{strange}");
    }
    assert_eq!(mysql_terms(&fields(&five("auth socket", "", None, "N"))), None);
    assert_eq!(mysql_terms(&fields(&five("auth_socket", "", None, "maybe"))), None);
}
