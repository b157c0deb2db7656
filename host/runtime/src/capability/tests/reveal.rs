//! Passwords that a rotator reads because the operator said so: noted, counted, and kept out of what is kept.

use super::*;

impl Guest {
    /// Not by `call`, which sees to it that no reply holds a canary.
    async fn reveal(&mut self, value: Handle) -> Result<String, SecretError> {
        match self.0.answer(Call::Reveal { value }).await {
            Reply::Revealed(revealed) => revealed,
            other => panic!("{other:?}"),
        }
    }

    async fn log(&mut self, message: &str) {
        let call = Call::Log { level: LogLevel::Info, message: message.to_owned() };
        assert!(matches!(self.call_blindly(call).await, Reply::Logged));
    }

    async fn call_blindly(&mut self, call: Call) -> Reply {
        self.0.answer(call).await
    }
}

fn revealing() -> World {
    let mut world = world();
    world.grants.reveal = true;
    world
}

#[tokio::test]
async fn nothing_is_revealed_without_the_grant() {
    let world = world();
    let mut guest = world.step();
    let current = guest.current().await;
    let password = guest.sensitive(current, "password").await.unwrap();
    let refused = guest.reveal(password).await;
    assert!(matches!(&refused, Err(SecretError::Refused(text)) if text.contains("`reveal`")), "{refused:?}");
    assert!(guest.0.take_log().is_empty() && world.port.with(|memory| memory.notices.is_empty()));
    assert_eq!(guest.0.reveals(), 0);
}

#[tokio::test]
async fn each_reveal_is_noted_before_it_happens_and_counted() {
    let world = revealing();
    let mut guest = world.step();
    let current = guest.current().await;
    let password = guest.sensitive(current, "password").await.unwrap();
    assert_eq!(guest.reveal(password).await.as_deref(), Ok("old-canary"));
    assert_eq!(guest.reveal(password).await.as_deref(), Ok("old-canary"));
    let new = guest.random(PasswordRules::default()).await.unwrap();
    assert_eq!(guest.reveal(new).await.map(|text| text.len()), Ok(32));
    assert_eq!(guest.0.reveals(), 3);
    let notices = world.port.with(|memory| memory.notices.clone());
    assert!(
        notices[0].starts_with("reveal: the rotator is shown the field `password` of the version current")
    );
    assert_eq!(notices[2], "reveal: the rotator is shown a new password");
    // However much a guest writes, the host's lines are there.
    for _ in 0..200 {
        guest.log("noise").await;
    }
    let log = guest.0.take_log();
    let own: Vec<_> = log.iter().filter(|line| line.text.starts_with("reveal: ")).collect();
    assert_eq!(own.len(), 3, "{log:?}");
    assert!(own[2].text.ends_with("(number 3 of this step)"));
    // What cannot be noted is not shown.
    world.port.with(|memory| memory.away = true);
    assert!(matches!(guest.reveal(password).await, Err(SecretError::Unavailable(_))));
    world.port.with(|memory| (memory.away, memory.lost) = (false, true));
    assert_eq!(guest.reveal(password).await, Err(SecretError::Superseded));
    assert_eq!(guest.0.reveals(), 3);
}

#[tokio::test]
async fn there_is_an_end_to_what_is_revealed_and_other_secrets_are_not() {
    let mut world = revealing();
    world.grants.secrets = [SecretPattern::try_from("db/master".to_owned()).unwrap()].into();
    world.port.with(|memory| {
        let master = CURRENT.replace("old-canary", "master-canary");
        memory.master = Some(("db/master".to_owned(), master));
    });
    let mut guest = world.step();
    let master = guest.version(Call::Open { secret_id: "db/master".to_owned() }).await;
    for field in ["password", "x", "username", "Password", ""] {
        assert_eq!(guest.sensitive(master, field).await, None, "{field}");
    }
    let current = guest.current().await;
    let password = guest.sensitive(current, "password").await.unwrap();
    // Handles that are of another kind, guessed, or dropped.
    for handle in [master, current, 99, 0, u32::MAX] {
        guest.violates(Call::Reveal { value: handle }).await;
    }
    for _ in 0..limits::REVEALS_MAX {
        guest.reveal(password).await.unwrap();
    }
    assert!(matches!(guest.reveal(password).await, Err(SecretError::Refused(_))));
    assert!(matches!(guest.call(Call::Drop(password)).await, Reply::Logged));
    guest.violates(Call::Reveal { value: password }).await;
}

#[tokio::test]
async fn what_was_revealed_is_kept_out_of_logs_failures_and_readable_fields() {
    let world = revealing();
    let mut guest = world.step();
    let current = guest.current().await;
    let password = guest.sensitive(current, "password").await.unwrap();
    guest.log("before old-cana").await;
    let revealed = guest.reveal(password).await.unwrap();
    let spelt = [
        revealed.clone(),
        format!("the password is <{revealed}>"),
        hex::encode(&revealed),
        revealed.to_uppercase(),
        revealed.chars().rev().collect(),
        revealed.chars().flat_map(|letter| [letter, ' ']).collect(),
    ];
    for text in &spelt {
        guest.log(text).await;
        assert_eq!(
            guest.0.kept(text.clone()),
            "[held a sensitive value that the rotator was shown, and is not kept]"
        );
    }
    let log = guest.0.take_log();
    assert_eq!(log.iter().filter(|line| line.text.starts_with("[held")).count(), spelt.len(), "{log:?}");
    assert!(!format!("{log:?}").contains("old-canary"));
    assert_eq!(guest.0.kept("nothing of it".to_owned()), "nothing of it");
    let new = guest.random(PasswordRules::default()).await.unwrap();
    let changes =
        vec![("password", NewValue::Sensitive(new)), ("username", NewValue::Text(format!("x{revealed}")))];
    let put = guest.put(current, changes).await;
    assert!(
        matches!(&put, Err(SecretError::Refused(text)) if text.contains("every rotator reads")),
        "{put:?}"
    );
}
