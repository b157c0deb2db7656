//! A login that begins before the rotator asks for it.
//!
//! From the moment in which a server has the new password until AWSCURRENT names it, applications read a password that opens
//! nothing, and most of that time is the login by which testSecret tries the new one. So its connection is opened before the
//! change, and it logs in as soon as the change has taken effect. The rotator that asks for this very login is given it, after
//! every check that any login has.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pawl_core::limits;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::database::{Driver, Login, LoginFailure, Session};
use crate::dial::Destination;

/// What the steps of one claim on a rotation hand on to each other: at most one login, with the new password.
#[derive(Clone, Default)]
pub struct EarlyLogin(Arc<Mutex<Option<Begun>>>);

impl EarlyLogin {
    /// Begins to connect, where that is of use before the server knows the password.
    pub(super) fn prepare(driver: Arc<dyn Driver>, to: Destination, login: Login) -> Prepared {
        let (go, gone) = oneshot::channel();
        let it = Arc::new(login);
        let login = Arc::clone(&it);
        let work = tokio::spawn(async move {
            if driver.waits_for_clients() {
                to.open_ahead().await;
            }
            match gone.await {
                Ok(()) => driver.login(&to, &login).await,
                Err(_) => Err(LoginFailure::Unreachable("the password was not changed".to_owned())),
            }
        });
        Prepared { login: it, go, work: Work(work) }
    }

    /// Logs in: the server has the password.
    pub(super) fn begin(&self, prepared: Prepared) {
        let Prepared { login, go, work } = prepared;
        if go.send(()).is_ok() {
            self.put(Some(Begun { login, at: Instant::now(), work }));
        }
    }

    /// The session, when just this login was begun a moment ago and the server has accepted it. A refusal is an answer as well, and
    /// counts; after anything else it is as if nothing had been begun.
    pub(super) async fn take(&self, login: &Login) -> Option<Result<Box<dyn Session>, LoginFailure>> {
        let Begun { login: begun, at, mut work } = self.put(None)?;
        if at.elapsed() > limits::EARLY_LOGIN_VALID || !begun.same_as(login) {
            return None;
        }
        match (&mut work.0).await {
            Ok(done @ (Ok(_) | Err(LoginFailure::Refused(_)))) => Some(done),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    fn put(&self, begun: Option<Begun>) -> Option<Begun> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), begun)
    }
}

/// A login that is ready to begin. Dropped, it never does.
pub(super) struct Prepared {
    login: Arc<Login>,
    go: oneshot::Sender<()>,
    work: Work,
}

struct Begun {
    login: Arc<Login>,
    at: Instant,
    work: Work,
}

/// Work that ends with whoever waits for it.
struct Work(JoinHandle<Result<Box<dyn Session>, LoginFailure>>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}
