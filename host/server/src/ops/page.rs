//! Tokens of pages: opaque to callers, and of use only for the list that they came from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use pawl_api::secrets_manager::refusal;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_core::world::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use crate::error::AppError;

/// Makes and reads the tokens of pages.
#[derive(Debug)]
pub struct PageTokens {
    key: SecretBytes,
}

/// Bytes of a token's tag.
const TAG: usize = 16;

impl PageTokens {
    /// With a key of the keyring.
    #[must_use]
    pub const fn new(key: SecretBytes) -> Self {
        Self { key }
    }

    /// A token that holds `place` in the list named `list`, given at `now`.
    pub(crate) fn seal(&self, list: &str, place: &impl Serialize, now: Timestamp) -> Option<String> {
        let mut content = now.millis().to_be_bytes().to_vec();
        content.extend(serde_json::to_vec(place).ok()?);
        let mut bytes = self.tag(list, &content)?;
        bytes.extend(content);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The place that a token holds.
    pub(crate) fn open<T: DeserializeOwned>(
        &self,
        list: &str,
        token: &str,
        now: Timestamp,
    ) -> Result<T, AppError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let (tag, content) = bytes.split_at_checked(TAG).ok_or_else(wrong)?;
        let expected = self.tag(list, content).ok_or_else(wrong)?;
        if !SecretBytes::new(expected).same_as(&SecretBytes::new(tag.to_vec())) {
            return Err(wrong());
        }
        let (given, place) = content.split_first_chunk().ok_or_else(wrong)?;
        let given = Timestamp::from_millis(i64::from_be_bytes(*given));
        if now.millis_since(given) > u64::try_from(limits::NEXT_TOKEN_LIFE.as_millis()).unwrap_or(u64::MAX) {
            return Err(wrong());
        }
        serde_json::from_slice(place).map_err(|_| wrong())
    }

    /// One page of a list that is in memory, and the token of the next one. Each entry comes with the key that it is sorted by,
    /// upwards or (`backwards`) downwards; no two are the same. A page begins after the last one's last key, so that what
    /// comes and goes between two pages makes nobody miss an entry, or see it twice.
    pub(super) fn cut<T>(
        &self,
        sorted: Vec<(String, T)>,
        backwards: bool,
        (token, max_results): (Option<&str>, Option<i64>),
        (list, now): (&str, Timestamp),
    ) -> Result<(Vec<T>, Option<String>), AppError> {
        let after: Option<String> = token.map(|token| self.open(list, token, now)).transpose()?;
        let is_past = |key: &String| match &after {
            Some(after) if backwards => key < after,
            Some(after) => key > after,
            None => true,
        };
        let mut rest = sorted.into_iter().skip_while(|(key, _)| !is_past(key));
        let (mut page, mut last) = (Vec::new(), None);
        for (key, entry) in rest.by_ref().take(size(max_results)) {
            page.push(entry);
            last = Some(key);
        }
        let next = last.filter(|_| rest.next().is_some()).and_then(|place| self.seal(list, &place, now));
        Ok((page, next))
    }

    fn tag(&self, list: &str, content: &[u8]) -> Option<Vec<u8>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose()).ok()?;
        mac.update(&(list.len() as u64).to_le_bytes());
        mac.update(list.as_bytes());
        mac.update(content);
        mac.finalize().into_bytes().get(..TAG).map(<[u8]>::to_vec)
    }
}

/// The answer to a token that this server did not give, not for this list, or too long ago.
pub(super) fn wrong() -> AppError {
    AppError::Api(refusal::next_token())
}

/// Entries of a page; the shape's check has seen to the range.
pub(crate) fn size(max_results: Option<i64>) -> usize {
    let most = limits::PAGE_ENTRIES_MAX as usize;
    max_results.and_then(|n| usize::try_from(n).ok()).unwrap_or(most).clamp(1, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_token_is_good_for_its_own_list_and_cannot_be_made_up() {
        let tokens = PageTokens::new(SecretBytes::new(vec![7; 32]));
        let token = tokens.seal("list", &42, NOW).unwrap();
        let open = |list: &str, token: &str| tokens.open::<u32>(list, token, NOW);
        assert_eq!(open("list", &token).unwrap(), 42);
        assert!(open("other", &token).is_err());
        assert!(PageTokens::new(SecretBytes::new(vec![8; 32])).open::<u32>("list", &token, NOW).is_err());
        let life = i64::try_from(limits::NEXT_TOKEN_LIFE.as_millis()).unwrap();
        let after = |millis: i64| Timestamp::from_millis(NOW.millis() + millis);
        assert_eq!(tokens.open::<u32>("list", &token, after(life)).unwrap(), 42);
        assert!(tokens.open::<u32>("list", &token, after(life + 1)).is_err());
        for n in 0..token.len() {
            let mut bad = token.clone().into_bytes();
            bad[n] = if bad[n] == b'A' { b'B' } else { b'A' };
            let bad = String::from_utf8(bad).unwrap();
            assert!(bad == token || open("list", &bad).map_or(true, |place| place == 42), "{n}");
        }
        for bad in ["", "x", "AAAA", "é"] {
            assert!(open("list", bad).is_err(), "{bad}");
        }
    }

    fn keyed(numbers: impl IntoIterator<Item = u32>) -> Vec<(String, u32)> {
        numbers.into_iter().map(|n| (format!("{n:03}"), n)).collect()
    }

    #[test]
    fn pages_cover_a_list_once_in_either_direction() {
        let tokens = PageTokens::new(SecretBytes::new(vec![7; 32]));
        for backwards in [false, true] {
            let all = || if backwards { keyed((0..7).rev()) } else { keyed(0..7) };
            let (mut seen, mut token) = (Vec::new(), None::<String>);
            loop {
                let (page, next) =
                    tokens.cut(all(), backwards, (token.as_deref(), Some(3)), ("l", NOW)).unwrap();
                seen.extend(page);
                token = next;
                if token.is_none() {
                    break;
                }
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..7).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_goes_between_two_pages_hides_nothing() {
        let tokens = PageTokens::new(SecretBytes::new(vec![7; 32]));
        let (first, next) = tokens.cut(keyed(0..7), false, (None, Some(3)), ("l", NOW)).unwrap();
        assert_eq!(first, [0, 1, 2]);
        let (second, _) =
            tokens.cut(keyed([1, 3, 4, 5]), false, (next.as_deref(), Some(3)), ("l", NOW)).unwrap();
        assert_eq!(second, [3, 4, 5]);
    }
}
