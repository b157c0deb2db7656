//! How much a guest can have the host do over connections, and when it ends.

use super::*;

#[tokio::test]
async fn connections_are_few_and_a_dropped_one_makes_room() {
    let peer = Peer::saying("+OK\n").await;
    let mut guest = peer.world(Step::SetSecret).step();
    let mut open = Vec::new();
    for _ in 0..limits::TCP_CONNECTIONS_MAX {
        open.push(guest.dial(peer.address).await.unwrap());
    }
    is_refused(&guest.dial(peer.address).await, "4 connections open at once");
    for _ in open.len()..usize::try_from(limits::TCP_DIALS_MAX).unwrap() {
        assert!(matches!(guest.call(Call::Drop(open.remove(0))).await, Reply::Logged));
        open.push(guest.dial(peer.address).await.unwrap());
    }
    guest.call(Call::Drop(open.remove(0))).await;
    is_refused(&guest.dial(peer.address).await, "16 connections");
    assert!(peer.connections() <= usize::try_from(limits::TCP_DIALS_MAX).unwrap());
}

#[tokio::test]
async fn what_is_said_and_asked_is_bounded() {
    let peer = Peer::saying("+OK\n").await;
    let mut guest = peer.world(Step::SetSecret).step();
    let connection = guest.dial(peer.address).await.unwrap();
    let long = |bytes| vec![TcpPart::Bytes(vec![b'x'; bytes])];
    is_refused(&guest.say(connection, long(limits::TCP_SEND_BYTES_MAX + 1)).await, "has at most 65536 bytes");
    let many = (0..=limits::TCP_PARTS_MAX).map(|_| text("x")).collect();
    is_refused(&guest.say(connection, many).await, "256 parts");
    for _ in 0..limits::TCP_SENT_BYTES_MAX / limits::TCP_SEND_BYTES_MAX {
        guest.say(connection, long(limits::TCP_SEND_BYTES_MAX)).await.unwrap();
    }
    is_refused(&guest.say(connection, long(1)).await, "may send 1048576 bytes");
    let mut guest = peer.world(Step::SetSecret).step();
    let connection = guest.dial(peer.address).await.unwrap();
    for _ in 0..limits::TCP_ANSWERS_MAX {
        guest.say(connection, vec![text("x")]).await.unwrap();
        guest.expect(connection, &["+OK"]).await.unwrap();
    }
    is_refused(&guest.expect(connection, &["+OK"]).await, "64 answers");
}

#[tokio::test]
async fn a_peer_that_says_nothing_loses_its_connection_and_no_more() {
    let (silent, peer) = (Peer::saying("").await, Peer::saying("+OK\n").await);
    let targets = serde_json::json!({"targets": [silent.address.to_string(), peer.address.to_string()]});
    let mut guest = peer.world_with(Step::SetSecret, &targets).step();
    guest.0.config.patience = std::time::Duration::from_millis(100);
    let (dumb, fine) = (guest.dial(silent.address).await.unwrap(), guest.dial(peer.address).await.unwrap());
    guest.say(dumb, vec![text("x")]).await.unwrap();
    let lost = guest.expect(dumb, &["+OK"]).await;
    assert!(matches!(&lost, Err(TcpError::Lost(text)) if text.contains("in time")), "{lost:?}");
    for gone in [guest.say(dumb, vec![text("x")]).await, guest.receive(dumb, 1).await.map(|_| ())] {
        assert!(matches!(&gone, Err(TcpError::Lost(text)) if text.contains("before")), "{gone:?}");
    }
    guest.say(fine, vec![text("x")]).await.unwrap();
    assert_eq!(guest.expect(fine, &["+OK"]).await, Ok(Some(0)));
}

#[tokio::test]
async fn the_end_of_what_is_said_is_told_and_what_comes_after_is_read() {
    let peer = Peer::saying("").await;
    let mut guest = peer.world(Step::SetSecret).step();
    let connection = guest.dial(peer.address).await.unwrap();
    guest.say(connection, vec![text("all of it")]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(guest.tcp(Call::TcpFinish { connection }).await, Ok(TcpAnswer::Done));
    }
    assert_eq!(guest.receive(connection, 100).await.as_deref(), Ok("bye\n"));
    assert_eq!(guest.receive(connection, 100).await.as_deref(), Ok(""));
    is_refused(&guest.say(connection, vec![text("more")]).await, "no more will be sent");
    assert_eq!(peer.told(), "all of it");
}

#[tokio::test]
async fn a_handle_is_of_one_step_and_one_kind() {
    let peer = Peer::saying("+OK\n").await;
    let world = peer.world(Step::SetSecret);
    let mut guest = world.step();
    let connection = guest.dial(peer.address).await.unwrap();
    let current = guest.current().await;
    guest.violates(Call::TcpFinish { connection: current }).await;
    guest.violates(Call::Ping { session: connection }).await;
    guest.violates(Call::TcpSend { connection, parts: vec![TcpPart::Sensitive(connection)] }).await;
    guest.violates(Call::TcpSend { connection, parts: vec![TcpPart::Sensitive(77)] }).await;
    let field = TcpPart::Field { of: connection, name: "password".to_owned(), number: None };
    guest.violates(Call::TcpSend { connection, parts: vec![field] }).await;
    assert_eq!(peer.ended.load(Ordering::SeqCst), 0);
    drop(guest);
    // The step's end is the connection's; in the next one its number is nothing.
    while peer.ended.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut next = world.step();
    next.violates(Call::TcpReceive { connection, most: 1 }).await;
    assert_eq!(peer.connections(), 1);
}
