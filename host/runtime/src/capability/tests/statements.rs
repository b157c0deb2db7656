//! Statements of a rotator's own: granted, fenced, bounded, and without a password in their answers.

use super::*;
use crate::wire::RanStatement;

impl Guest {
    async fn run(
        &mut self,
        session: Handle,
        statement: &str,
        rows: bool,
    ) -> Result<RanStatement, DatabaseError> {
        let (statement, parameters) = (statement.to_owned(), Vec::new());
        match self.call(Call::Run { session, statement, parameters, rows }).await {
            Reply::Ran(ran) => ran,
            other => panic!("{other:?}"),
        }
    }

    async fn logged_in(&mut self) -> Handle {
        let current = self.current().await;
        self.login(current).await.unwrap()
    }
}

fn granted() -> World {
    let mut world = world();
    world.grants.statements = true;
    world
}

impl World {
    fn answers(&self, rows: &[&[Option<&str>]]) {
        let row = |row: &&[Option<&str>]| row.iter().map(|text| text.map(str::to_owned)).collect();
        *self.database.rows.lock().unwrap() = rows.iter().map(row).collect();
    }

    fn ran(&self) -> usize {
        self.database.ran.lock().unwrap().len()
    }
}

#[tokio::test]
async fn statements_are_run_where_that_is_granted_and_the_secret_is_still_ours() {
    let mut world = granted();
    world.answers(&[&[Some("1"), None], &[Some("two"), Some("")]]);
    let mut guest = world.step();
    let session = guest.logged_in().await;
    let before = world.port.with(|memory| memory.fences);
    let rows = vec![vec![Some("1".to_owned()), None], vec![Some("two".to_owned()), Some(String::new())]];
    assert_eq!(guest.run(session, "SELECT", true).await, Ok(RanStatement::Rows(rows)));
    assert_eq!(guest.run(session, "DELETE", false).await, Ok(RanStatement::Touched(u32::MAX)));
    assert_eq!(world.port.with(|memory| memory.fences), before + 2, "the fence is asked before each");
    world.port.with(|memory| memory.lost_at_fence = true);
    assert_eq!(guest.run(session, "DELETE", false).await, Err(DatabaseError::Superseded));
    assert!(guest.0.was_superseded());
    assert_eq!(world.ran(), 2);

    world.port.with(|memory| (memory.lost_at_fence, memory.lost) = (false, false));
    world.grants.statements = false;
    let mut guest = world.step();
    let session = guest.logged_in().await;
    let refused = guest.run(session, "SELECT", true).await;
    assert!(
        matches!(&refused, Err(DatabaseError::Refused(text)) if text.contains("`statements`")),
        "{refused:?}"
    );
    world.grants.statements = true;
    world.rehearsal = true;
    let mut guest = world.step();
    let session = guest.logged_in().await;
    assert!(matches!(guest.run(session, "SELECT", true).await, Err(DatabaseError::Refused(_))));
    assert_eq!(guest.run(session, "DROP TABLE t", false).await, Ok(RanStatement::Touched(0)));
    assert!(guest.0.take_would().contains(&"run at db:5432: DROP TABLE t".to_owned()));
    assert_eq!(world.ran(), 2);
}

#[tokio::test]
async fn an_answer_with_a_password_in_it_ends_the_step_however_it_is_cut() {
    let mut world = granted();
    world.grants.secrets = [SecretPattern::try_from("db/master".to_owned()).unwrap()].into();
    let long = CURRENT.replace("old-canary", "a-long-old-canary-0123456789");
    *world.database.password.lock().unwrap() = "a-long-old-canary-0123456789".to_owned();
    world.port.with(|memory| {
        memory.current = Some(long.clone());
        memory.previous = Some(with_password("a-previous-canary-0123456789"));
        memory.pending = Some(with_password("a-pending-canary-0123456789"));
        memory.master = Some(("db/master".to_owned(), with_password("a-master-canary-0123456789")));
    });
    let hex = hex::encode("a-long-old-canary-0123456789");
    for row in [
        &[Some("a-long-old-canary-0123456789")][..],
        &[Some("x"), None, Some("the password is a-previous-canary-0123456789.")],
        &[Some("a-pending-canary-0123456789")],
        &[Some("a-master-canary-0123456789")],
        &[Some("a-long-"), Some("old-canary-01"), Some("23456789")],
        &[Some(&hex)],
        &[Some("9876543210-yranac-dlo-gnol-a")],
    ] {
        let mut guest = world.step();
        let master = guest.version(Call::Open { secret_id: "db/master".to_owned() }).await;
        let session = guest.logged_in().await;
        world.answers(&[&[Some("1")], row]);
        let call = Call::Run { session, statement: "SELECT".to_owned(), parameters: Vec::new(), rows: true };
        match guest.call(call).await {
            Reply::Violation(text) => assert!(text.contains("holds a sensitive value"), "{text}"),
            other => panic!("{row:?}: {other:?}"),
        }
        assert!(matches!(guest.call(Call::Drop(master)).await, Reply::Logged));
    }
}

#[tokio::test]
async fn a_session_that_a_rotator_has_spoken_over_takes_no_typed_change() {
    let world = granted();
    world.pend(&with_password("new-canary"));
    let mut guest = world.step();
    let session = guest.logged_in().await;
    let pending = guest.pending().await;
    let password = guest.sensitive(pending, "password").await.unwrap();
    guest.run(session, "SET ROLE nobody", false).await.unwrap();
    let (like, account) = ("app".to_owned(), "app_clone".to_owned());
    let spoilt = [
        guest.call(Call::SetPassword { session, account: "app".to_owned(), password }).await,
        guest
            .call(Call::MirrorAccount { session, like: like.clone(), account: account.clone(), password })
            .await,
        guest.call(Call::Differences { session, like, account }).await,
    ];
    for reply in spoilt {
        assert!(format!("{reply:?}").contains("log in anew"), "{reply:?}");
    }
    assert_eq!(guest.ping(session).await, Ok(()));
    let fresh = guest.logged_in().await;
    assert_eq!(guest.set(fresh, "app", password).await, Ok(()));
}

#[tokio::test]
async fn statements_have_bounds() {
    let world = granted();
    let mut guest = world.step();
    let session = guest.logged_in().await;
    let current = guest.current().await;
    let run = |statement: String, parameters| Call::Run { session, statement, parameters, rows: true };
    let text = "x".repeat(limits::STATEMENT_BYTES_MAX);
    for bad in [
        run(format!("{text}x"), Vec::new()),
        run("SELECT \0".to_owned(), Vec::new()),
        run("SELECT".to_owned(), vec![None; limits::STATEMENT_PARAMETERS_MAX + 1]),
        run("SELECT".to_owned(), vec![Some("x".repeat(limits::STATEMENT_PARAMETER_BYTES_MAX + 1))]),
    ] {
        let reply = guest.call(bad).await;
        assert!(matches!(reply, Reply::Ran(Err(DatabaseError::Refused(_)))), "{reply:?}");
    }
    assert_eq!(world.ran(), 0);
    for handle in [current, 77, 0] {
        let call =
            Call::Run { session: handle, statement: String::new(), parameters: Vec::new(), rows: true };
        guest.violates(call).await;
    }
    let many = vec![vec![Some("1".to_owned())]; limits::STATEMENT_ROWS_MAX + 1];
    *world.database.rows.lock().unwrap() = many;
    let refused = guest.run(session, "SELECT", true).await;
    assert!(matches!(&refused, Err(DatabaseError::Refused(text)) if text.contains("was run")), "{refused:?}");
    let long = "x".repeat(limits::STATEMENT_ANSWER_BYTES_MAX + 1);
    world.answers(&[&[Some(&long)]]);
    assert!(matches!(guest.run(session, "SELECT", true).await, Err(DatabaseError::Refused(_))));
    world.answers(&[]);
    for _ in 6..limits::STATEMENTS_MAX {
        guest.run(session, "SELECT", true).await.unwrap();
    }
    assert!(matches!(guest.run(session, "SELECT", true).await, Err(DatabaseError::Refused(_))));
    assert!(matches!(guest.call(Call::Drop(session)).await, Reply::Logged));
    guest.violates(run("SELECT".to_owned(), Vec::new())).await;
}
