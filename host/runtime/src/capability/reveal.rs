//! The WIT's `reveal`: sensitive values that a rotator reads, because the operator has granted that, and what must not become of them
//! then.

use pawl_core::limits;
use pawl_core::value::SecretBytes;

use super::{Capabilities, Violation, secret_error};
use crate::http::echo::Echo;
use crate::wire::{Handle, SecretError};

/// What stands in the place of a text that a revealed value was in.
const HELD_BACK: &str = "[held a sensitive value that the rotator was shown, and is not kept]";

/// What a step was shown.
#[derive(Default)]
pub(super) struct Revealed {
    times: u32,
    values: Vec<SecretBytes>,
    echo: Option<Echo>,
}

impl Revealed {
    /// Whether a text holds a value that was shown, or a part of one, in any usual spelling. Short values are found as they stand.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let whole = |value: &SecretBytes| {
            let value = value.expose();
            !value.is_empty() && text.as_bytes().windows(value.len()).any(|piece| piece == value)
        };
        self.echo.as_ref().is_some_and(|echo| echo.is_in(text.as_bytes())) || self.values.iter().any(whole)
    }
}

impl Capabilities {
    pub(super) async fn reveal(&mut self, value: Handle) -> Result<Result<String, SecretError>, Violation> {
        let held = self.handles.sensitive(value)?;
        let refused = |text: String| Ok(Err(SecretError::Refused(text)));
        if !self.config.grants.reveal {
            return refused("the function's grants do not cover `reveal`".to_owned());
        }
        if self.revealed.times >= limits::REVEALS_MAX {
            return refused(format!("a step may have {} sensitive values revealed", limits::REVEALS_MAX));
        }
        let Ok(text) = std::str::from_utf8(held.value.expose()) else {
            return Ok(Err(SecretError::Malformed("the value is no text".to_owned())));
        };
        // Before the rotator has it, so that no crash makes the history forget that.
        let told = format!("reveal: the rotator is shown {}", held.what);
        let may = match self.settle().await {
            Ok(()) => self.notice(&told).await,
            Err(error) => Err(error),
        };
        if let Err(error) = may {
            return Ok(Err(secret_error(error)));
        }
        self.revealed.times += 1;
        self.journal.note(&format!("{told} (number {} of this step)", self.revealed.times));
        if !self.revealed.values.iter().any(|known| known.same_as(&held.value)) {
            self.revealed.values.push(held.value.duplicate());
            self.revealed.echo = Some(Echo::of(&self.revealed.values, self.config.rng.as_ref()));
        }
        Ok(Ok(text.to_owned()))
    }

    /// How many values the guest was shown, each time counted.
    pub(crate) const fn reveals(&self) -> u32 {
        self.revealed.times
    }

    /// A guest's words as they may be kept: none of them where they hold a value that it was shown.
    pub(crate) fn kept(&self, text: String) -> String {
        if self.revealed.is_in(&text) { HELD_BACK.to_owned() } else { text }
    }
}
