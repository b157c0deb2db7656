//! Replicas: a secret that other regions see as well.
//!
//! Regions are namespaces of one store, so a replica is no copy: its row says whose it is, and every read of it is a read of the
//! primary. It is in sync by construction, and a rotation reaches every region with the one commit that moves AWSCURRENT.

use serde::{Deserialize, Serialize};

use crate::arn::SecretArn;
use crate::names::Region;
use crate::secret::Secret;
use crate::world::Timestamp;

/// A region to which a secret is replicated, as its primary knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// The region.
    pub region: Region,
    /// The key that the caller named for it; none for the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// Whether it is there.
    pub status: ReplicaStatus,
}

/// How a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicaStatus {
    /// It is there, and is what the primary is.
    InSync,
    /// The region had a secret of this name.
    NameTaken,
}

impl Secret {
    /// The row that stands for `primary` in another region.
    #[must_use]
    pub fn replica(primary: &Self, region: Region, kms_key_id: Option<String>, now: Timestamp) -> Self {
        let arn = primary.arn.in_region(&primary.region, &region);
        let mut replica = Self::new(arn, region, primary.name.clone(), now);
        replica.replica_of = Some(primary.region.clone());
        replica.kms_key_id = kms_key_id;
        replica
    }

    /// Whether this row only stands for a secret of another region.
    #[must_use]
    pub const fn is_replica(&self) -> bool {
        self.replica_of.is_some()
    }

    /// The region of the primary; none when the secret is in one region only.
    #[must_use]
    pub fn primary_region(&self) -> Option<&Region> {
        self.replica_of.as_ref().or_else(|| (!self.replicas.is_empty()).then_some(&self.region))
    }

    /// What a replica's region sees of `self`, the primary: everything, under the replica's own ARN, region, key and dates of
    /// access.
    #[must_use]
    pub fn seen_as(&self, replica: &Self) -> Self {
        Self {
            arn: replica.arn.clone(),
            region: replica.region.clone(),
            kms_key_id: replica.kms_key_id.clone(),
            created_at: replica.created_at,
            last_accessed_day: replica.last_accessed_day,
            replica_of: Some(self.region.clone()),
            replicas: Vec::new(),
            // The deletion of a replica's own row is all that could be scheduled, and is not.
            purge_at: None,
            ..self.clone()
        }
    }

    /// A replica's view becomes a secret of its own: nothing rotates it any more, and nothing of the primary's does.
    pub fn stand_alone(&mut self, now: Timestamp) {
        self.replica_of = None;
        self.replicas.clear();
        self.rotation = None;
        self.rotation_config = None;
        (self.next_rotation_at, self.next_window) = (None, None);
        // A pending version belongs to the primary's rotation.
        if let Some(pending) = self.labels.pending().cloned() {
            self.labels.detach(&crate::names::Label::pending());
            if !self.labels.any_on(&pending) {
                self.versions.remove(&pending);
            }
        }
        self.touch(now);
    }

    /// The primary's list, with `replica` added or renewed.
    pub fn set_replica(&mut self, replica: Replica) {
        match self.replicas.iter_mut().find(|held| held.region == replica.region) {
            Some(held) => *held = replica,
            None => self.replicas.push(replica),
        }
    }
}

impl SecretArn {
    /// The same ARN in another region.
    #[must_use]
    pub fn in_region(&self, from: &Region, to: &Region) -> Self {
        Self::respelt(self.as_str().replacen(&format!(":{from}:"), &format!(":{to}:"), 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Label, VersionId};
    use crate::version::ContentMark;
    use crate::world::Rng;

    struct Zeros;
    impl Rng for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn primary() -> Secret {
        let (region, name) = ("us-east-1".parse().unwrap(), "us-east-1/x".parse().unwrap());
        let arn = SecretArn::mint(&region, &"000000000000".parse().unwrap(), &name, &Zeros);
        Secret::new(arn, region, name, Timestamp::from_millis(0))
    }

    #[test]
    fn a_replica_has_the_primarys_suffix_and_its_own_region() {
        let primary = primary();
        let replica =
            Secret::replica(&primary, "eu-west-1".parse().unwrap(), None, Timestamp::from_millis(1));
        assert_eq!(
            replica.arn.as_str(),
            primary.arn.as_str().replacen("secretsmanager:us-east-1", "secretsmanager:eu-west-1", 1)
        );
        assert_eq!(replica.primary_region().unwrap().as_str(), "us-east-1");
        assert_eq!(primary.primary_region(), None);
    }

    #[test]
    fn a_view_has_the_primarys_versions_and_stands_alone_without_its_rotation() {
        let mut primary = primary();
        let token: VersionId = "0".repeat(32).parse().unwrap();
        let pending: VersionId = "1".repeat(32).parse().unwrap();
        let now = Timestamp::from_millis(5);
        primary.put(&token, &ContentMark("a".to_owned()), &[], now).unwrap();
        primary.put(&pending, &ContentMark("b".to_owned()), &[Label::pending()], now).unwrap();
        let row = Secret::replica(&primary, "eu-west-1".parse().unwrap(), Some("k".to_owned()), now);
        let mut view = primary.seen_as(&row);
        assert_eq!(view.labels.current(), Some(&token));
        assert_eq!((view.kms_key_id.as_deref(), view.arn == row.arn), (Some("k"), true));
        view.stand_alone(now);
        assert!(!view.is_replica() && view.labels.pending().is_none());
        assert_eq!(view.versions.len(), 1);
    }
}
