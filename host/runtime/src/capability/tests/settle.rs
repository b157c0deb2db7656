//! A pending value may be stored later, with what is stored next; before anything of it leaves the host it is stored.

use super::*;

/// A world whose database notes what it hears before the pending value is stored, and a guest that has just put one.
async fn having_put(world: &World, changes: &[(&str, &str)]) -> (Guest, Handle, Handle) {
    *world.database.store.lock().unwrap() = Some(Arc::clone(&world.port));
    let mut guest = world.step();
    let current = guest.current().await;
    let password = guest.random(PasswordRules::default()).await.unwrap();
    let texts = changes.iter().map(|(field, text)| (*field, NewValue::Text((*text).to_owned())));
    let changes = std::iter::once(("password", NewValue::Sensitive(password))).chain(texts).collect();
    let pending = guest.put(current, changes).await.unwrap();
    assert!(unsettled(world), "it waits");
    (guest, current, pending)
}

fn unsettled(world: &World) -> bool {
    world.port.with(|memory| memory.unsettled)
}

fn heard_early(world: &World) -> Vec<&'static str> {
    world.database.early.lock().unwrap().clone()
}

#[tokio::test]
async fn a_login_with_an_earlier_password_needs_nothing_stored_and_the_change_does() {
    let world = world();
    let (mut guest, current, pending) = having_put(&world, &[]).await;
    let session = guest.login(current).await.unwrap();
    assert!(unsettled(&world));
    let password = guest.sensitive(pending, "password").await.unwrap();
    guest.set(session, "app", password).await.unwrap();
    assert!(!unsettled(&world));
    assert_eq!(heard_early(&world), ["a login"], "AWSCURRENT's, and no other");
}

#[tokio::test]
async fn a_login_with_the_pending_password_waits_until_it_is_stored() {
    let world = world();
    let (mut guest, _, pending) = having_put(&world, &[]).await;
    assert!(matches!(guest.login(pending).await, Err(LoginError::Refused(_))));
    assert!(!unsettled(&world) && heard_early(&world).is_empty());
}

#[tokio::test]
async fn another_accounts_password_is_stored_first_although_nothing_is_exposed() {
    let mut world = alternating();
    world.grants.pending_fields = ["username", "password"].map(str::to_owned).into();
    world.port.with(|memory| memory.pending = None);
    let (mut guest, current, pending) = having_put(&world, &[("username", "app_clone")]).await;
    let session = guest.login(current).await.unwrap();
    let password = guest.sensitive(pending, "password").await.unwrap();
    guest.mirror(session, ("app", "app_clone"), password).await.unwrap();
    assert!(!unsettled(&world) && !world.port.with(|memory| memory.standing.exposed));
    assert_eq!(heard_early(&world), ["a login"], "AWSCURRENT's, and no other");
}

#[tokio::test]
async fn what_a_rotator_is_shown_is_stored_first() {
    let mut world = world();
    world.grants.reveal = true;
    let (mut guest, _, pending) = having_put(&world, &[]).await;
    let value = guest.sensitive(pending, "password").await.unwrap();
    assert!(matches!(guest.0.answer(Call::Reveal { value }).await, Reply::Revealed(Ok(_))));
    assert!(!unsettled(&world));
}

#[tokio::test]
async fn what_cannot_be_stored_goes_nowhere() {
    let world = world();
    let (mut guest, current, pending) = having_put(&world, &[]).await;
    let session = guest.login(current).await.unwrap();
    let password = guest.sensitive(pending, "password").await.unwrap();
    world.port.with(|memory| memory.lost = true);
    assert_eq!(guest.set(session, "app", password).await, Err(DatabaseError::Superseded));
    assert_eq!(guest.login(pending).await, Err(LoginError::Superseded));
    assert_eq!(*world.database.password.lock().unwrap(), "old-canary");
}
