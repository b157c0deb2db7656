//! The root key: what the store is under, and moving it to another one.

use super::Operation;
use crate::model::{Kind, Member, Structure};
use crate::shape::{Request, shapes};
use crate::time::EpochSeconds;

shapes! {
    /// `DescribeRootKey` takes this.
    DescribeRootKeyRequest {}

    /// How the store's keys stand.
    DescribeRootKeyResponse {
        required {
            /// The root keys that open the store: one, or two while it moves from one to the other.
            root_keys: Vec<RootKeyView>,
            /// The keys under them.
            keys: Vec<KeyEncryptionKeyView>,
            /// The hosts of a shared store.
            hosts: Vec<KeyHostView>,
            /// Root keys that the answering host still has, and that open nothing in the store.
            former_root_keys: Vec<String>,
            /// Where the answering host takes root keys from.
            providers: String,
        }
        optional {
            /// The rotation that is under way.
            rotation: RootKeyRotationView,
            /// The last one that has ended.
            last_rotation: EndedRootKeyRotation,
            /// Why the answering host cannot look after the keys.
            problem: String,
        }
    }

    /// A root key.
    RootKeyView {
        required {
            id: String,
            /// `file`, `env`, `passphrase`, `kms`, `transit` or `pkcs11`.
            provider: String,
            /// When it came in.
            created_date: String,
        }
    }

    /// A key-encryption key.
    KeyEncryptionKeyView {
        required {
            id: String,
            /// `Announced`, `Active` or `Former`.
            state: String,
            created_date: String,
        }
        optional {
            /// Until when a former one still opens.
            until_date: String,
        }
    }

    /// A host that shares the store.
    KeyHostView {
        required {
            id: String,
            /// Whether it has said something of late.
            there: bool,
            /// Whether it has the root key to which the store moves, or under which it is.
            has_new_root_key: bool,
            last_seen: EpochSeconds,
        }
    }

    /// A rotation of the root key.
    RootKeyRotationView {
        required {
            from: String,
            to: String,
            /// `Publishing` or `Rewrapping`.
            phase: String,
            began_date: String,
            /// Values that were sealed anew.
            resealed: u64,
            /// Values that were looked at in this pass.
            looked_at: u64,
            /// Values that do not open.
            unreadable: u64,
        }
    }

    /// A rotation of the root key that has ended.
    EndedRootKeyRotation {
        required { from: String, to: String, began_date: String, ended_date: String, }
    }

    /// `RotateRootKey` takes this.
    RotateRootKeyRequest {
        optional {
            /// Takes one back that has not begun to seal.
            cancel: bool,
        }
    }

    /// `RotateRootKey` answers this.
    RotateRootKeyResponse {
        optional { from: String, to: String, }
    }

    /// `ForgetRootKeys` takes this.
    ForgetRootKeysRequest {}

    /// `ForgetRootKeys` answers this.
    ForgetRootKeysResponse {
        required {
            /// The former root keys that are gone from the answering host.
            forgotten: Vec<String>,
        }
    }
}

impl Request for DescribeRootKeyRequest {
    type Response = DescribeRootKeyResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::DescribeRootKey);
    const MODEL: &'static Structure = &Structure { name: "DescribeRootKeyRequest", members: &[] };
}

impl Request for RotateRootKeyRequest {
    type Response = RotateRootKeyResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::RotateRootKey);
    const MODEL: &'static Structure =
        &Structure { name: "RotateRootKeyRequest", members: &[Member::new("Cancel", Kind::Boolean)] };
}

impl Request for ForgetRootKeysRequest {
    type Response = ForgetRootKeysResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::ForgetRootKeys);
    const MODEL: &'static Structure = &Structure { name: "ForgetRootKeysRequest", members: &[] };
}
