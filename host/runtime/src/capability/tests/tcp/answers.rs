//! What comes over a connection: looked through before any of it is told, and read for a yes or a no.

use super::*;

impl Guest {
    /// Asks, and gives all that the guest is told until the step is ended; none where it is not.
    async fn learns_until_ended(&mut self, connection: Handle, most: u32) -> Option<String> {
        let mut learnt = String::new();
        for _ in 0..limits::TCP_ANSWERS_MAX {
            match self.0.answer(Call::TcpReceive { connection, most }).await {
                Reply::Tcp(Ok(TcpAnswer::Bytes(bytes))) if bytes.is_empty() => return None,
                Reply::Tcp(Ok(TcpAnswer::Bytes(bytes))) => {
                    learnt.push_str(&String::from_utf8(bytes).unwrap());
                }
                Reply::Violation(text) => {
                    assert!(text.contains("holds a sensitive value"), "{text}");
                    return Some(learnt);
                }
                other => panic!("{other:?}"),
            }
        }
        None
    }
}

#[tokio::test]
async fn an_echo_ends_the_step_in_every_spelling_and_however_it_is_cut() {
    let hash = |value: &str| hex::encode(<sha2::Sha256 as sha2::Digest>::digest(value));
    let encoded = |value: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, value);
    for echo in [
        OLD.to_owned(),
        NEW.to_owned(),
        format!("$28\r\n{NEW}\r\n"),
        NEW.split_at(6).1.split_at(14).0.to_owned(),
        encoded(NEW),
        hex::encode(OLD),
        hash(NEW),
        hash(OLD).to_uppercase(),
        NEW.chars().rev().collect(),
    ] {
        let peer = Peer::saying(&format!("{}{echo}\n", "x".repeat(100))).await;
        for most in [1, 7, 4096] {
            let mut guest = peer.world(Step::SetSecret).step();
            let new = guest.password(Call::Pending).await;
            let connection = guest.dial(peer.address).await.unwrap();
            guest.say(connection, vec![text("ECHO "), TcpPart::Sensitive(new)]).await.unwrap();
            let learnt = guest.learns_until_ended(connection, most).await;
            let learnt = learnt.unwrap_or_else(|| panic!("{echo} was shown"));
            // All that has come is looked through before any of it is told.
            assert!(learnt.chars().all(|c| c == 'x'), "{most}: {learnt}");
        }
    }
}

#[tokio::test]
async fn an_echo_in_pieces_is_ended_by_the_twelfth_byte() {
    // A byte for each byte that it is told, so that they come one by one.
    let at = Arc::new(AtomicUsize::new(0));
    let peer = Peer::answering(move |_| {
        let place = at.fetch_add(1, Ordering::SeqCst);
        NEW.as_bytes().get(place..=place).unwrap_or_default().to_vec()
    })
    .await;
    let mut guest = peer.world(Step::SetSecret).step();
    let new = guest.password(Call::Pending).await;
    let connection = guest.dial(peer.address).await.unwrap();
    let mut learnt = String::new();
    loop {
        guest.say(connection, vec![TcpPart::Sensitive(new)]).await.unwrap();
        match guest.0.answer(Call::TcpReceive { connection, most: 1 }).await {
            Reply::Tcp(Ok(TcpAnswer::Bytes(bytes))) => learnt.push_str(&String::from_utf8(bytes).unwrap()),
            Reply::Violation(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(learnt, NEW.split_at(limits::HTTP_ECHO_BYTES - 1).0, "what chance could have said as well");
}

#[tokio::test]
async fn a_guess_is_no_question_that_can_be_asked_twice() {
    let peer = Peer::answering(<[u8]>::to_vec).await;
    let mut guest = peer.world(Step::SetSecret).step();
    let new = guest.password(Call::Pending).await;
    let connection = guest.dial(peer.address).await.unwrap();
    guest.say(connection, vec![TcpPart::Sensitive(new), text("\n")]).await.unwrap();
    let beginnings = vec![b"n".to_vec(), b"o".to_vec()];
    guest.violates(Call::TcpExpect { connection, beginnings, end: b"\n".to_vec() }).await;
}

#[tokio::test]
async fn without_the_grant_an_answer_is_told_apart_and_not_read() {
    let peer = Peer::saying("-ERR the hash of it is here\n").await;
    let mut guest = peer.world_with(Step::SetSecret, &serde_json::json!({"answers": false})).step();
    let connection = guest.dial(peer.address).await.unwrap();
    guest.say(connection, vec![text("x")]).await.unwrap();
    is_refused(&guest.receive(connection, 10).await, "`answers`");
    assert_eq!(guest.expect(connection, &["+OK", "-ERR"]).await, Ok(Some(1)));
    is_refused(&guest.expect(connection, &["x"; 9]).await, "at most 8 beginnings");
    is_refused(&guest.expect(connection, &["x".repeat(129).as_str()]).await, "128 bytes");
}

#[tokio::test]
async fn a_yes_to_the_new_value_is_the_proof_and_to_its_hash_it_is_not() {
    for (part, said, proved) in [
        ("value", "+OK\n", true),
        ("hash", "+OK\n", false),
        ("old", "+OK\n", false),
        ("value", "-NO\n", false),
        ("value", "?\n", false),
        ("value", "x+OK\n", false),
    ] {
        let peer = Peer::saying(said).await;
        let world = peer.world(Step::TestSecret);
        world.port.with(|memory| memory.standing.exposed = true);
        let mut guest = world.step();
        let (old, new) = (guest.password(Call::Current).await, guest.password(Call::Pending).await);
        let connection = guest.dial(peer.address).await.unwrap();
        let value = match part {
            "value" => TcpPart::Sensitive(new),
            "hash" => TcpPart::Sha256(new),
            _ => TcpPart::Sensitive(old),
        };
        guest.say(connection, vec![text("AUTH "), value, text("\n")]).await.unwrap();
        let _ = guest.expect(connection, &["+OK"]).await.unwrap();
        assert_eq!(guest.0.proof().login, proved, "{part} {said}");
        let Reply::Promoted(promoted) = guest.call(Call::Promote).await else { panic!() };
        // The proof is of this step, and the server's machine hands it on to the next.
        assert!(
            matches!(&promoted, Err(SecretError::Refused(text)) if text.contains("no server has accepted"))
        );
        world.port.with(|memory| memory.standing.proof = guest.0.proof());
        let Reply::Promoted(promoted) = guest.call(Call::Promote).await else { panic!() };
        assert_eq!(promoted.is_ok(), proved, "{part} {said}");
    }
}

#[tokio::test]
async fn an_answer_to_something_else_proves_nothing() {
    let peer = Peer::saying("+OK\n").await;
    let world = peer.world(Step::TestSecret);
    world.port.with(|memory| memory.standing.exposed = true);
    let mut guest = world.step();
    let (new, connection) = (guest.password(Call::Pending).await, guest.dial(peer.address).await.unwrap());
    // What was said before has its answer yet to come: whose this one is cannot be told.
    guest.say(connection, vec![text("SELECT 0\n")]).await.unwrap();
    guest.say(connection, vec![text("AUTH "), TcpPart::Sensitive(new), text("\n")]).await.unwrap();
    assert_eq!(guest.expect(connection, &["+OK"]).await, Ok(Some(0)));
    assert!(!guest.0.proof().login);
}

#[tokio::test]
async fn a_yes_in_pieces_counts_once_all_of_it_is_there() {
    let at = Arc::new(AtomicUsize::new(0));
    let peer = Peer::answering(move |_| {
        let place = at.fetch_add(1, Ordering::SeqCst);
        b"+OK\n".get(place..=place).unwrap_or_default().to_vec()
    })
    .await;
    let world = peer.world(Step::TestSecret);
    world.port.with(|memory| memory.standing.exposed = true);
    let mut guest = world.step();
    let (new, connection) = (guest.password(Call::Pending).await, guest.dial(peer.address).await.unwrap());
    guest.say(connection, vec![TcpPart::Sensitive(new)]).await.unwrap();
    for (piece, proved) in [("+", false), ("O", false), ("K", true)] {
        assert_eq!(guest.receive(connection, 10).await.as_deref(), Ok(piece));
        assert_eq!(guest.0.proof().login, proved, "{piece}");
        guest.say(connection, vec![text("go on")]).await.unwrap();
    }
}

#[tokio::test]
async fn refusals_are_counted_and_a_fifth_is_not_asked_for() {
    let peer = Peer::saying("-NO\n").await;
    let world = peer.world(Step::SetSecret);
    let account = Account::new("app", "127.0.0.1", peer.address.port());
    let mut guest = world.step();
    let (old, connection) = (guest.password(Call::Current).await, guest.dial(peer.address).await.unwrap());
    for count in 1..=limits::FAILED_LOGINS_MAX {
        guest.say(connection, vec![TcpPart::Sensitive(old)]).await.unwrap();
        assert_eq!(guest.expect(connection, &["-NO"]).await, Ok(Some(0)));
        assert_eq!(world.port.with(|memory| memory.refusals[&account]), count);
    }
    let told = peer.told().len();
    let spent = guest.say(connection, vec![TcpPart::Sensitive(old)]).await;
    assert!(
        matches!(&spent, Err(TcpError::LockoutBudgetSpent(text)) if text.contains("`app` 4 times")),
        "{spent:?}"
    );
    assert_eq!(peer.told().len(), told);
    // What is said without a value is not held up by it, and a yes begins the count anew.
    let good = Peer::saying("+OK\n").await;
    let world = good.world(Step::SetSecret);
    let account = Account::new("app", "127.0.0.1", good.address.port());
    world.port.with(|memory| memory.refusals.insert(account.clone(), 3));
    let mut guest = world.step();
    let (old, connection) = (guest.password(Call::Current).await, guest.dial(good.address).await.unwrap());
    guest.say(connection, vec![TcpPart::Sensitive(old)]).await.unwrap();
    assert_eq!(guest.expect(connection, &["+OK"]).await, Ok(Some(0)));
    assert_eq!(world.port.with(|memory| memory.refusals[&account]), 0);
}
