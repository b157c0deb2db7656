//! Versions of a secret and the staging labels that move over them.

use std::collections::BTreeSet;

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::names::{Label, VersionId};
use crate::world::Timestamp;

/// Tells "same token, same content" from "same token, other content" without opening either. Keyed: worthless without the
/// keyring that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentMark(pub String);

/// What is known of a version without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// When it was made.
    pub created_at: Timestamp,
    /// The day on which it was last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accessed_day: Option<Timestamp>,
    /// Marks its content; none as long as it has no value (a rotation's first moments).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentMark>,
    /// Whether a rotation made it and moved AWSCURRENT to it: its login was seen to work, and nobody has written it by hand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotated: bool,
}

impl Version {
    /// A version that was made at `created_at`.
    #[must_use]
    pub const fn new(created_at: Timestamp, content: Option<ContentMark>) -> Self {
        Self { created_at, last_accessed_day: None, content, rotated: false }
    }
}

/// Where each staging label is. A label is on one version at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(#[serde(with = "crate::sorted")] LiteMap<Label, VersionId>);

/// Why a staging label could not move.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveLabelError {
    /// AWSCURRENT moves only when the caller names the version that it leaves.
    #[error(
        "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version {held}, \
         so you must explicitly reference that version in RemoveFromVersionId."
    )]
    MustNameHolder {
        /// The label.
        label: Label,
        /// Where it is.
        held: VersionId,
    },
    /// The caller named a version that the label is not on.
    #[error(
        "When you move staging label {label}, if you specify RemoveFromVersionId, it must be set to the version that \
         currently has the staging label {label}."
    )]
    NotOnNamed {
        /// The label.
        label: Label,
    },
    /// Neither a version to move to nor one to remove from.
    #[error("You must specify MoveToVersionId, RemoveFromVersionId, or both.")]
    NothingToDo,
    /// AWSCURRENT moves, but never goes away.
    #[error(
        "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed."
    )]
    CurrentMustStay,
}

impl Labels {
    /// No label anywhere.
    #[must_use]
    pub const fn new() -> Self {
        Self(LiteMap::new())
    }

    /// The version that has the label.
    #[must_use]
    pub fn on(&self, label: &Label) -> Option<&VersionId> {
        self.0.get(label)
    }

    /// The version with AWSCURRENT.
    #[must_use]
    pub fn current(&self) -> Option<&VersionId> {
        self.on(&Label::current())
    }

    /// The version with AWSPENDING.
    #[must_use]
    pub fn pending(&self) -> Option<&VersionId> {
        self.on(&Label::pending())
    }

    /// The version with AWSPREVIOUS.
    #[must_use]
    pub fn previous(&self) -> Option<&VersionId> {
        self.on(&Label::previous())
    }

    /// The labels of a version.
    #[must_use]
    pub fn of(&self, id: &VersionId) -> Vec<Label> {
        self.0.iter().filter(|(_, on)| *on == id).map(|(label, _)| label.clone()).collect()
    }

    /// Whether a version has any label.
    #[must_use]
    pub fn any_on(&self, id: &VersionId) -> bool {
        self.0.values().any(|on| on == id)
    }

    /// The versions that have labels.
    #[must_use]
    pub fn labelled(&self) -> BTreeSet<&VersionId> {
        self.0.values().collect()
    }

    /// Puts `label` on `to`, taking it from wherever it is. When that is AWSCURRENT, AWSPREVIOUS goes to the version it leaves,
    /// so that a reader who holds the old value keeps a name for it.
    pub fn attach(&mut self, label: Label, to: &VersionId) {
        if label == Label::current()
            && let Some(left) = self.current().filter(|held| *held != to).cloned()
        {
            self.0.insert(Label::previous(), left);
        }
        self.0.insert(label, to.clone());
    }

    /// Takes `label` away; whether it was there.
    pub fn detach(&mut self, label: &Label) -> bool {
        self.0.remove(label).is_some()
    }

    /// UpdateSecretVersionStage: moves, adds or removes a label, as the caller names versions.
    ///
    /// # Errors
    /// When the caller's picture of where the label is does not hold.
    pub fn update(
        &mut self,
        label: &Label,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), MoveLabelError> {
        let held = self.on(label).cloned();
        if let Some(named) = from
            && held.as_ref() != Some(named)
        {
            // A repeated move: what was asked for already holds.
            if to.is_some() && held.as_ref() == to {
                return Ok(());
            }
            return Err(MoveLabelError::NotOnNamed { label: label.clone() });
        }
        match (to, held) {
            (None, _) if from.is_none() => Err(MoveLabelError::NothingToDo),
            (None, _) if *label == Label::current() => Err(MoveLabelError::CurrentMustStay),
            (None, _) => {
                self.detach(label);
                Ok(())
            }
            (Some(to), Some(held)) if held != *to && from.is_none() => {
                Err(MoveLabelError::MustNameHolder { label: label.clone(), held })
            }
            (Some(to), _) => {
                self.attach(label.clone(), to);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> VersionId {
        format!("{n:032}").parse().unwrap()
    }

    #[test]
    fn moving_current_leaves_previous_behind_and_takes_it_from_the_one_before() {
        let mut labels = Labels::default();
        for n in 1..=3 {
            labels.attach(Label::current(), &id(n));
        }
        assert_eq!(labels.current(), Some(&id(3)));
        assert_eq!(labels.previous(), Some(&id(2)));
        assert!(!labels.any_on(&id(1)));
    }

    #[test]
    fn going_back_to_the_previous_version_swaps_the_two() {
        let mut labels = Labels::default();
        labels.attach(Label::current(), &id(1));
        labels.attach(Label::current(), &id(2));
        labels.update(&Label::current(), Some(&id(2)), Some(&id(1))).unwrap();
        assert_eq!((labels.current(), labels.previous()), (Some(&id(1)), Some(&id(2))));
    }

    #[test]
    fn current_moves_only_when_its_holder_is_named_and_never_goes_away() {
        let mut labels = Labels::default();
        labels.attach(Label::current(), &id(1));
        assert_eq!(
            labels.update(&Label::current(), None, Some(&id(2))),
            Err(MoveLabelError::MustNameHolder { label: Label::current(), held: id(1) })
        );
        assert!(labels.update(&Label::current(), Some(&id(3)), Some(&id(2))).is_err());
        assert_eq!(
            labels.update(&Label::current(), Some(&id(1)), None),
            Err(MoveLabelError::CurrentMustStay)
        );
        assert_eq!(labels.update(&Label::current(), None, None), Err(MoveLabelError::NothingToDo));
        assert_eq!(labels.current(), Some(&id(1)));
    }

    #[test]
    fn labels_are_stored_as_an_object() {
        let mut labels = Labels::default();
        assert_eq!(serde_json::to_string(&labels).unwrap(), "{}");
        labels.attach(Label::current(), &id(1));
        let text = serde_json::to_string(&labels).unwrap();
        assert_eq!(text, format!("{{\"AWSCURRENT\":\"{}\"}}", id(1)));
        assert_eq!(serde_json::from_str::<Labels>(&text).unwrap(), labels);
    }

    #[test]
    fn removing_one_label_leaves_the_others() {
        let mut labels = Labels::default();
        labels.attach(Label::current(), &id(1));
        labels.attach(Label::current(), &id(2));
        labels.attach("BLUE".parse().unwrap(), &id(2));
        labels.update(&"BLUE".parse().unwrap(), Some(&id(2)), None).unwrap();
        assert_eq!((labels.current(), labels.previous()), (Some(&id(2)), Some(&id(1))));
    }
}
