//! What a rotation of the root key makes durable, one after the other.

/// The enum and the list of all of them are one text, so that nobody can be forgotten.
macro_rules! transitions {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Something that a rotation of the root key makes durable, in a store or in a file. A host may be killed before and after each,
        /// and the tests kill it there.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Transition {
            $($(#[$doc])* $name,)+
        }

        impl Transition {
            /// All of them, in the order in which they come.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

transitions! {
    /// A new root key is in the file of the host that was asked.
    KeyWritten,
    /// Both root keys open the record.
    Begun,
    /// A host has said which root keys it has.
    Said,
    /// Another host has put the new root key into its own file.
    TakenOver,
    /// The new key-encryption key seals.
    Activated,
    /// A host has the work of sealing anew.
    Claimed,
    /// A secret's values are sealed anew.
    SecretResealed,
    /// What is secret of an entity was looked at, and is sealed anew.
    EntityResealed,
    /// So is the root access key of a shared store.
    AccessKeyResealed,
    /// It is noted how far the work is.
    PlaceKept,
    /// It is noted that a pass has come to its end.
    PassEnded,
    /// Only the new root key opens the record.
    Finished,
    /// Key-encryption keys whose time was over are gone.
    FormerForgotten,
    /// A rotation was taken back.
    Cancelled,
    /// Former root keys are gone from a host's file.
    FileForgotten,
}
