//! The keys of each provider, at hand: looked at again when they are old, or when a token names one that is not there.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use pawl_core::limits;
use pawl_runtime::dial::Egress;
use tokio::sync::Semaphore;

use super::fetch::{FetchError, Fetcher, of_file, read};
use super::keys::KeySet;
use super::token::Token;
use super::{OidcError, OidcSettings};

/// Where keys come from.
trait Source: Send + Sync {
    /// The keys of an issuer. It may take a while, and no executor waits for it.
    fn keys(&self, issuer: &str) -> Result<KeySet, FetchError>;
}

/// Providers themselves, and the operator's files in the place of some.
struct Real {
    fetcher: Fetcher,
    files: BTreeMap<String, PathBuf>,
}

impl Source for Real {
    fn keys(&self, issuer: &str) -> Result<KeySet, FetchError> {
        match self.files.get(issuer) {
            Some(path) => of_file(path),
            None => self.fetcher.keys(issuer),
        }
    }
}

/// The keys of all providers that were asked for.
pub(crate) struct Issuers {
    source: Arc<dyn Source>,
    known: Mutex<HashMap<String, Arc<Issuer>>>,
    asked: Semaphore,
    /// What time it is: for the ages of keys.
    now: Box<dyn Fn() -> Instant + Send + Sync>,
}

#[derive(Default)]
struct Issuer {
    held: ArcSwapOption<Held>,
    /// When it was looked at last; who has it looks.
    turn: tokio::sync::Mutex<Option<Instant>>,
}

struct Held {
    keys: Arc<KeySet>,
    at: Instant,
}

/// The provider does not answer, and has not for long. The log says why.
#[derive(Debug)]
pub(crate) struct Unreachable;

impl Issuers {
    /// Nothing is asked yet; files are read, so that a wrong one is told at the start.
    pub(crate) fn new(settings: &OidcSettings, egress: Egress) -> Result<Self, OidcError> {
        settings.key_sets.values().try_for_each(|path| read(path).map(|_| ()))?;
        let fetcher = Fetcher::new(settings.ca.as_deref(), egress)?;
        let source = Real { fetcher, files: settings.key_sets.clone() };
        Ok(Self::of(Arc::new(source), Box::new(Instant::now)))
    }

    fn of(source: Arc<dyn Source>, now: Box<dyn Fn() -> Instant + Send + Sync>) -> Self {
        let asked = Semaphore::new(limits::PROVIDERS_ASKED_AT_ONCE);
        Self { source, known: Mutex::default(), asked, now }
    }

    fn since(&self, then: Instant) -> Duration {
        (self.now)().saturating_duration_since(then)
    }

    fn issuer(&self, name: &str) -> Arc<Issuer> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Only providers of the account come here; those that are none any more go with the rest.
        if known.len() > 2 * limits::PROVIDERS_MAX {
            known.clear();
        }
        Arc::clone(known.entry(name.to_owned()).or_default())
    }

    /// Keys by which a token of this issuer, who is a provider of the account, can be judged.
    pub(crate) async fn keys(&self, name: &str, token: &Token<'_>) -> Result<Arc<KeySet>, Unreachable> {
        let issuer = self.issuer(name);
        let suits = |held: &Held| self.since(held.at) < limits::KEY_SET_FRESH && token.is_of(&held.keys);
        if let Some(held) = issuer.held.load_full().filter(|held| suits(held)) {
            return Ok(Arc::clone(&held.keys));
        }
        // One looks, and all who wait here take what that one finds; whose key is known does not wait for it.
        let known = |held: &Held| self.since(held.at) < limits::KEY_SET_STALE && token.is_of(&held.keys);
        let mut turn = match issuer.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => match issuer.held.load_full().filter(|held| known(held)) {
                Some(held) => return Ok(Arc::clone(&held.keys)),
                None => issuer.turn.lock().await,
            },
        };
        if let Some(held) = issuer.held.load_full().filter(|held| suits(held)) {
            return Ok(Arc::clone(&held.keys));
        }
        if turn.is_none_or(|at| self.since(at) >= limits::KEY_SET_LOOKED_AT_EVERY) {
            let looked = self.look(name).await;
            *turn = Some((self.now)());
            match looked {
                Ok(keys) => {
                    let held = Held { keys: Arc::new(keys), at: (self.now)() };
                    issuer.held.store(Some(Arc::new(held)));
                }
                Err(error) => {
                    tracing::warn!(issuer = name, %error, "the keys of an identity provider could not be had");
                }
            }
        }
        let held = issuer.held.load_full().filter(|held| self.since(held.at) < limits::KEY_SET_STALE);
        held.map(|held| Arc::clone(&held.keys)).ok_or(Unreachable)
    }

    async fn look(&self, name: &str) -> Result<KeySet, FetchError> {
        let failed = |why: &str| FetchError::Unreachable { address: name.to_owned(), why: why.to_owned() };
        let _permit = self.asked.acquire().await.map_err(|_| failed("this host is ending"))?;
        let (source, name) = (Arc::clone(&self.source), name.to_owned());
        let looked = tokio::task::spawn_blocking(move || source.keys(&name)).await;
        looked.map_err(|_| failed("the request ended badly"))?
    }
}

#[cfg(test)]
mod tests;
