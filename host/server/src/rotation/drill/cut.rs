//! The secret under rotation, on a host that dies before a certain call.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use pawl_core::function::SecretPattern;
use pawl_core::rotation::Account;
use pawl_core::value::SecretValue;
use pawl_runtime::port::{Answer, SecretsPort, Standing, StoredVersion, Which};
use tokio::sync::Notify;

use super::RotationPort;

/// The port of a step, which counts the calls, and gives no answer any more from a certain one on.
pub(super) struct Cut {
    port: RotationPort,
    dies_before: Option<u32>,
    calls: AtomicU32,
    reached: Notify,
}

impl Cut {
    pub(super) fn new(port: RotationPort, dies_before: Option<u32>) -> Self {
        Self { port, dies_before, calls: AtomicU32::new(0), reached: Notify::new() }
    }

    /// Ends when the call has come before which the host dies.
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(super) fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    /// The answer, which is not begun before it is awaited.
    fn unless_dead<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            let call = self.calls.fetch_add(1, Ordering::SeqCst).saturating_add(1);
            if self.dies_before == Some(call) {
                self.reached.notify_one();
                std::future::pending::<()>().await;
            }
            answer.await
        })
    }
}

impl SecretsPort for Cut {
    fn token(&self) -> &str {
        self.port.token()
    }

    fn read(&self, which: Which) -> Answer<'_, Option<StoredVersion>> {
        self.unless_dead(self.port.read(which))
    }

    fn put_pending(&self, value: SecretValue) -> Answer<'_, StoredVersion> {
        self.unless_dead(self.port.put_pending(value))
    }

    fn settle(&self) -> Answer<'_, ()> {
        // A drill's port stores at once: there is nothing to die before.
        self.port.settle()
    }

    fn promote(&self) -> Answer<'_, ()> {
        self.unless_dead(self.port.promote())
    }

    fn others(&self) -> Answer<'_, Vec<StoredVersion>> {
        self.unless_dead(self.port.others())
    }

    fn open<'a>(
        &'a self,
        secret_id: &'a str,
        granted: &'a BTreeSet<SecretPattern>,
    ) -> Answer<'a, StoredVersion> {
        self.unless_dead(self.port.open(secret_id, granted))
    }

    fn standing(&self) -> Answer<'_, Standing> {
        self.unless_dead(self.port.standing())
    }

    fn expose(&self) -> Answer<'_, ()> {
        self.unless_dead(self.port.expose())
    }

    fn refusals<'a>(&'a self, account: &'a Account) -> Answer<'a, u32> {
        self.unless_dead(self.port.refusals(account))
    }

    fn note_login<'a>(&'a self, account: &'a Account, refused: bool) -> Answer<'a, ()> {
        self.unless_dead(self.port.note_login(account, refused))
    }

    fn notice<'a>(&'a self, text: &'a str) -> Answer<'a, bool> {
        self.unless_dead(self.port.notice(text))
    }

    fn fence(&self) -> Answer<'_, ()> {
        self.unless_dead(self.port.fence())
    }
}
