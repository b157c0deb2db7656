//! What comes back over a connection: looked through before a guest is told anything of it, and read for a yes or a no.

use pawl_core::limits;
use pawl_core::rotation::Account;
use pawl_core::value::SecretBytes;

use super::part::sha256;
use super::{Answered, Connected, Talk, gone, refused};
use crate::capability::http::{from_port, from_secret};
use crate::capability::{Capabilities, Violation, journal};
use crate::http::echo::Echo;
use crate::port::PortError;
use crate::tcp::{Wanted, holds};
use crate::wire::{TcpAnswer, TcpError};

/// Values that were sent and have no answer yet.
pub(super) struct Asked {
    /// Those that only the pending version has, and that were sent themselves.
    pub(super) plain: Vec<SecretBytes>,
    /// Whose they are.
    pub(super) accounts: Vec<Account>,
    /// How the answer begins, as far as it was taken.
    pub(super) heard: Vec<u8>,
}

/// What a server says of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Yes,
    No,
}

impl Capabilities {
    pub(super) async fn tcp_expect(
        &mut self,
        connection: &Connected,
        beginnings: &[Vec<u8>],
        end: &[u8],
    ) -> Result<Answered<TcpAnswer>, Violation> {
        let (count, bytes) = (limits::TCP_BEGINNINGS_MAX, limits::TCP_BEGINNING_BYTES_MAX);
        let long = |text: &[u8]| text.len() > bytes;
        if beginnings.len() > count || beginnings.iter().any(|begin| long(begin)) || long(end) {
            let text =
                format!("an answer is told apart by at most {count} beginnings, of {bytes} bytes each");
            return Ok(Err(refused(&text)));
        }
        if self.config.rehearsal {
            // As if the server had said what a rotator hopes for first.
            return Ok(Ok(TcpAnswer::Beginning((!beginnings.is_empty()).then_some(0))));
        }
        let wanted = Wanted::Beginning { of: beginnings, end };
        Ok(self.tcp_answer(connection, &wanted).await?.map(|(which, _)| TcpAnswer::Beginning(which)))
    }

    pub(super) async fn tcp_receive(
        &mut self,
        connection: &Connected,
        most: u32,
    ) -> Result<Answered<TcpAnswer>, Violation> {
        if !connection.grant.reads_answers() {
            return Ok(Err(TcpError::NotGranted(journal::line(&format!(
                "the function's grants do not let it read what {} answers (`answers` in its entry of `tcp`)",
                connection.place
            )))));
        }
        if self.config.rehearsal {
            return Ok(Err(refused("a rehearsal sends nothing, so that there is nothing to receive")));
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX).clamp(1, limits::TCP_READ_BYTES_MAX);
        let answered = self.tcp_answer(connection, &Wanted::Bytes(most)).await?;
        Ok(answered.map(|(_, bytes)| TcpAnswer::Bytes(bytes)))
    }

    /// Waits for an answer, and looks all through that has come before anything of it is told.
    async fn tcp_answer(
        &mut self,
        connection: &Connected,
        wanted: &Wanted<'_>,
    ) -> Result<Answered<(Option<u32>, Vec<u8>)>, Violation> {
        self.tcp.answers = self.tcp.answers.saturating_add(1);
        if self.tcp.answers > limits::TCP_ANSWERS_MAX {
            let max = limits::TCP_ANSWERS_MAX;
            return Ok(Err(refused(&format!("a step may look at {max} answers over its connections"))));
        }
        let is_shown = matches!(wanted, Wanted::Bytes(_));
        let echo = match self.tcp_echo(is_shown).await {
            Ok(echo) => echo,
            Err(error) => return Ok(Err(error)),
        };
        let mut talk = connection.talk.lock().await;
        let Some(line) = talk.line.as_mut() else { return Ok(Err(gone(&connection.place))) };
        let found = match line.await_answer(wanted, &mut self.tcp.left).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(talk.ended(error))),
        };
        if holds(echo, line.to_look_through()).await {
            // The end of the step, and not an answer to it: a guest that could go on would learn from each echo whether it had guessed
            // right.
            return Err(Violation(journal::line(&format!(
                "what {} has answered holds a sensitive value, or a part of one, and is not shown",
                connection.place
            ))));
        }
        let bytes = line.take(found);
        let rest = line.has_unread();
        talk.is_owed &= rest;
        let told = self.tell(connection, &mut talk, &bytes).await;
        Ok(told.map(|()| (found.beginning, bytes)))
    }

    /// What may not come back. A hash that the host can write is a spelling too, where a guest would see it.
    async fn tcp_echo(&mut self, is_shown: bool) -> Answered<Echo> {
        let stored = self.values().await.map_err(from_secret)?;
        let mut wanted: Vec<SecretBytes> = Vec::new();
        for value in stored.all().chain(self.handles.all_values()) {
            if !wanted.iter().any(|other| other.same_as(&value)) {
                wanted.push(value);
            }
        }
        if wanted.iter().map(SecretBytes::len).sum::<usize>() > limits::HTTP_LOOKED_FOR_BYTES_MAX {
            return Err(refused(&format!(
                "the step holds more than the {} bytes of sensitive values that are looked for in answers",
                limits::HTTP_LOOKED_FOR_BYTES_MAX
            )));
        }
        if is_shown {
            let hashes: Vec<_> = wanted.iter().map(|value| SecretBytes::from(sha256(value))).collect();
            wanted.extend(hashes);
        }
        Ok(Echo::of(&wanted, self.config.rng.as_ref()))
    }

    /// Reads a yes or a no from how an answer begins to what carried values.
    async fn tell(&mut self, connection: &Connected, talk: &mut Talk, taken: &[u8]) -> Answered<()> {
        let Some(mut asked) = talk.asked.take() else { return Ok(()) };
        let room = limits::TCP_BEGINNING_BYTES_MAX.saturating_sub(asked.heard.len());
        asked.heard.extend_from_slice(taken.get(..room).unwrap_or(taken));
        let (yes, no) = (connection.grant.accepts(), connection.grant.refuses());
        let begins = |signals: &std::collections::BTreeSet<pawl_core::function::Signal>| {
            signals.iter().any(|signal| signal.begins(&asked.heard))
        };
        let verdict = if begins(yes) {
            Verdict::Yes
        } else if begins(no) {
            Verdict::No
        } else {
            if yes.iter().chain(no).any(|signal| signal.may_begin(&asked.heard)) {
                talk.asked = Some(asked);
            }
            return Ok(());
        };
        if verdict == Verdict::Yes && !asked.plain.is_empty() {
            let values = self.values().await.map_err(from_secret)?;
            self.accepted(asked.plain.iter(), &values);
        }
        for account in &asked.accounts {
            let noted = self.note_verdict(account, verdict).await;
            noted.map_err(|error| not_noted(self.noted(error)))?;
        }
        Ok(())
    }

    async fn note_verdict(&mut self, account: &Account, verdict: Verdict) -> Result<(), PortError> {
        let port = &self.config.port;
        match (verdict, port.refusals(account).await?) {
            (Verdict::No, _) => port.note_login(account, true).await,
            (Verdict::Yes, 1..) => port.note_login(account, false).await,
            (Verdict::Yes, 0) => Ok(()),
        }
    }
}

/// What was asked has been sent.
fn not_noted(error: PortError) -> TcpError {
    match TcpError::from(from_port(error)) {
        TcpError::Unreachable(text) | TcpError::Refused(text) => TcpError::Lost(text),
        other => other,
    }
}
