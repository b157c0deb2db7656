//! Standard Webhooks' signatures: HMAC-SHA256 over id, moment and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use sha2::Sha256;

/// What a secret of this form begins with.
const PREFIX: &str = "whsec_";

/// The keys that each message is signed with: the receiver accepts any of them, so a key can be exchanged without a gap.
#[derive(Debug)]
pub(super) struct SigningSecrets(Vec<SecretBytes>);

impl SigningSecrets {
    /// The secrets of a file, one a line; empty lines and comments (`#`) are skipped. None when a line is no secret, or there is
    /// none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut secrets = Vec::new();
        for line in lines {
            let secret = SecretBytes::new(STANDARD.decode(line.strip_prefix(PREFIX)?).ok()?);
            let length = secret.expose().len();
            if !(limits::WEBHOOK_SECRET_BYTES_MIN..=limits::WEBHOOK_SECRET_BYTES_MAX).contains(&length) {
                return None;
            }
            secrets.push(secret);
        }
        (!secrets.is_empty() && secrets.len() <= limits::WEBHOOK_SECRETS_MAX).then_some(Self(secrets))
    }

    /// The header `webhook-signature` of a message.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let signatures = self.0.iter().filter_map(|secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose()).ok()?;
            mac.update(format!("{id}.{seconds}.").as_bytes());
            mac.update(body);
            Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's reference libraries.
    #[test]
    fn the_published_example_is_signed_so() {
        let secrets = SigningSecrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature =
            secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_exchanged_by_having_two() {
        let (old, new) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        let sign = |text: &str| SigningSecrets::parse(text).unwrap().sign("id", 1, b"body");
        assert_eq!(sign(&format!("# both\n{new}\n\n {old}\n")), format!("{} {}", sign(new), sign(old)));
        for wrong in
            ["", "# nothing\n", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_?", "whsec_"]
        {
            assert!(SigningSecrets::parse(wrong).is_none(), "{wrong}");
        }
    }
}
