//! The code that a rotation began with, found once for each claim of it.

use pawl_core::function::{Digest, FunctionArn};
use pawl_core::rotation::{Outcome, Rotation};

use crate::functions::concurrency::Permit;
use crate::functions::{Approved, FindError, Resolved};
use crate::host::Host;

/// What a claim runs. Looked for in the store once, and again only when a person has begun the rotation anew with other code.
#[derive(Default)]
pub(super) struct Pinned(Option<(FunctionArn, Digest, Resolved)>);

impl Pinned {
    /// The function of a rotation, ready to run; else how its step ends.
    pub(super) async fn of(&mut self, host: &Host, rotation: &Rotation) -> Result<Resolved, Outcome> {
        let (function, digest) = (&rotation.function, &rotation.digest);
        if let Some((_, _, found)) = self.0.as_ref().filter(|(arn, of, _)| arn == function && of == digest) {
            return Ok(found.clone());
        }
        let approved = if rotation.exposed { Approved::AtBeginning } else { Approved::Now };
        let (functions, store) = (host.app.functions(), host.app.queue());
        let found = functions.pinned(store, function, digest, approved).await;
        let found = found.map_err(|error| outcome(function, &error))?;
        if found.component.digest() != *digest {
            // After an upgrade of the host the old code is not to be had, and stopping here could strand the secret.
            tracing::warn!(function.arn = %function, "the rotation goes on with newer code than it began with");
        }
        self.0 = Some((function.clone(), *digest, found.clone()));
        Ok(found)
    }
}

/// What it means for a step that its function cannot be had, and whose move it is.
fn outcome(function: &FunctionArn, error: &FindError) -> Outcome {
    match error {
        FindError::Store(error) => Outcome::Transient(format!(
            "the function {function} could not be read from the store ({error}); the host tries again"
        )),
        FindError::NotApproved { .. } => Outcome::Transient(format!("an operator must act: {error}")),
        FindError::NoCode(digest) => Outcome::Permanent(format!(
            "this host has no function {function} with the code {digest}; put it back, or name another one, then rotate again"
        )),
        FindError::NoFunction(_) | FindError::NoVersion(_) | FindError::NotPermitted(_) => {
            Outcome::Permanent(format!(
                "this host has no function {function}; put it back, or name another one, then rotate again"
            ))
        }
    }
}

/// Leave to run a step; else how it ends. A throttle never holds up what a database may have the password of: that would leave
/// applications without a login for as long as somebody's limit lasts (ADR 17).
pub(super) fn permit(host: &Host, rotation: &Rotation, function: &Resolved) -> Result<Permit, Outcome> {
    let reserved = function.reserved_concurrency.filter(|_| !rotation.exposed);
    host.app.functions().running().take(&function.key(), reserved).ok_or_else(|| {
        host.metrics.functions.throttled(&function.name, &function.version.to_string());
        Outcome::Transient(format!(
            "as many steps of the function {} run on this host as are reserved for it ({}); the host tries again",
            function.name,
            reserved.unwrap_or_default()
        ))
    })
}

#[cfg(test)]
mod tests {
    use pawl_store::StoreError;

    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_the_rest_is_a_persons_move() {
        let arn = FunctionArn::given("arn:aws:lambda:us-east-1:000000000000:function:mine".to_owned());
        let transient = [
            FindError::Store(StoreError::Broken("away")),
            FindError::NotApproved { name: "mine".parse().unwrap(), beyond: vec!["reveal".to_owned()] },
        ];
        for error in transient {
            assert!(matches!(outcome(&arn, &error), Outcome::Transient(_)), "{error}");
        }
        let permanent = [FindError::NoCode(Digest::from_bytes([0; 32])), FindError::NoFunction(arn.clone())];
        for error in permanent {
            let Outcome::Permanent(text) = outcome(&arn, &error) else { panic!("{error}") };
            assert!(text.contains("put it back") && text.contains("rotate again"), "{text}");
        }
    }
}
