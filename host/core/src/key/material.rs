//! What a key encrypts with, and how that is renewed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Key, KeyError, KeyManager, KeySpec};
use crate::limits;
use crate::world::{Rng, Timestamp};

/// A material's id: 64 hexadecimal digits, which tell nothing of the material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaterialId(String);

impl fmt::Display for MaterialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a key was given a new material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotationKind {
    /// Its time had come.
    #[serde(rename = "AUTOMATIC")]
    Automatic,
    /// Somebody asked for it.
    #[serde(rename = "ON_DEMAND")]
    OnDemand,
}

/// What is known of a material without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// Its id, as answers show it.
    pub id: MaterialId,
    /// Its number within the key, from 1, as ciphertexts name it.
    pub number: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Why; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationKind>,
}

impl Material {
    pub(super) fn first(rng: &dyn Rng, now: Timestamp) -> Self {
        Self { id: id(rng), number: 1, created_at: now, rotation: None }
    }
}

fn id(rng: &dyn Rng) -> MaterialId {
    let mut bytes = [0; 32];
    rng.fill(&mut bytes);
    MaterialId(hex::encode(bytes))
}

/// How a key's material is renewed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutomaticRotation {
    /// Days from one to the next.
    pub period_days: i64,
    /// When the next is due.
    pub next_at: Timestamp,
}

impl Key {
    /// The material that encrypts.
    #[must_use]
    pub fn current(&self) -> Option<&Material> {
        self.materials.last()
    }

    /// The material of a number.
    #[must_use]
    pub fn material(&self, number: u32) -> Option<&Material> {
        self.materials.iter().find(|material| material.number == number)
    }

    /// Has the material renewed by itself from now on, every so many days.
    ///
    /// # Errors
    /// When the key is not enabled, or is none that rotates.
    pub fn rotate_every(&mut self, period_days: Option<i64>, now: Timestamp) -> Result<(), KeyError> {
        self.must_be_enabled()?;
        self.must_rotate()?;
        let held = self.rotation.map(|held| held.period_days);
        let period_days = period_days.or(held).unwrap_or(limits::KEY_ROTATION_DAYS_DEFAULT);
        self.rotation = Some(AutomaticRotation { period_days, next_at: now.plus_days(period_days) });
        Ok(())
    }

    /// Has it renewed by itself no more.
    ///
    /// # Errors
    /// When the key is not enabled, or is none that rotates.
    pub fn stop_rotating(&mut self) -> Result<(), KeyError> {
        self.must_be_enabled()?;
        self.must_rotate()?;
        self.rotation = None;
        Ok(())
    }

    /// Refuses what only keys with several materials have.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn must_rotate(&self) -> Result<(), KeyError> {
        match self.spec {
            KeySpec::SymmetricDefault => Ok(()),
            spec @ KeySpec::Hmac256 => Err(KeyError::Unsupported(spec)),
        }
    }

    /// Refuses a rotation that somebody asks for.
    ///
    /// # Errors
    /// When the key is not enabled, is none that rotates, or was rotated so as often as there may be.
    pub fn must_rotate_on_demand(&self) -> Result<(), KeyError> {
        self.must_be_enabled()?;
        self.must_rotate()?;
        let asked =
            self.materials.iter().filter(|held| held.rotation == Some(RotationKind::OnDemand)).count();
        if asked >= limits::KEY_ROTATIONS_ON_DEMAND_MAX {
            return Err(KeyError::TooManyRotations { arn: self.arn.clone() });
        }
        Ok(())
    }

    /// Whether a rotation's time has come. One that is not enabled waits until it is.
    #[must_use]
    pub fn rotation_is_due(&self, now: Timestamp) -> bool {
        let due = self.rotation.is_some_and(|rotation| rotation.next_at <= now);
        due && self.is_enabled() && self.manager == KeyManager::Customer
    }

    /// Adds a material, with which the key encrypts from now on; its number. A plan that is overdue begins anew.
    pub fn add_material(&mut self, kind: RotationKind, rng: &dyn Rng, now: Timestamp) -> u32 {
        let number = self.current().map_or(1, |held| held.number.saturating_add(1));
        self.materials.push(Material { id: id(rng), number, created_at: now, rotation: Some(kind) });
        if let Some(plan) = self.rotation.as_mut().filter(|plan| plan.next_at <= now) {
            plan.next_at = now.plus_days(plan.period_days);
        }
        number
    }
}
