//! Entities: the small, named things of an installation that are neither secrets nor functions. Users, roles, policies, keys.

use crate::mac::{RowMac, Signer};

/// An entity as it is stored: its aggregate as one document, and beside it what of it is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct EntityRow {
    /// What it is: `iam:user`, `kms:key`. Whoever writes it says what that means.
    pub kind: String,
    /// Its region; empty for what is account-wide.
    pub region: String,
    /// Its name, which is its own within kind and region.
    pub name: String,
    /// Another one after every change, higher than each before it, and never that of an earlier entity of the same name.
    pub revision: u64,
    /// The aggregate, as JSON.
    pub document: String,
    /// What of it is secret, sealed.
    pub sealed: Option<Vec<u8>>,
    /// Its code.
    pub mac: RowMac,
}

impl std::fmt::Debug for EntityRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntityRow")
            .field("kind", &self.kind)
            .field("region", &self.region)
            .field("name", &self.name)
            .field("revision", &self.revision)
            .field("document", &self.document)
            .field("sealed bytes", &self.sealed.as_ref().map(Vec::len))
            .finish()
    }
}

/// An entity's next state, or its end.
#[derive(Clone, Debug)]
pub struct EntityChange {
    /// What it is.
    pub kind: String,
    /// Its region; empty for what is account-wide.
    pub region: String,
    /// Its name.
    pub name: String,
    /// What the caller has seen.
    pub expect: crate::Expect,
    /// What it becomes; none to delete it.
    pub put: Option<EntityPut>,
    /// Makes its code, once it has its revision; none for no code.
    pub signer: Option<Signer>,
}

impl EntityChange {
    /// The row that it leaves, at the revision that the store gives; none when it deletes the entity.
    pub(crate) fn row(&self, revision: u64) -> Option<EntityRow> {
        let put = self.put.as_ref()?;
        let mut row = EntityRow {
            kind: self.kind.clone(),
            region: self.region.clone(),
            name: self.name.clone(),
            revision,
            document: put.document.clone(),
            sealed: put.sealed.clone(),
            mac: RowMac::None,
        };
        if let Some(signer) = &self.signer {
            row.mac = RowMac::Kept(signer.sign(&row.content()));
        }
        Some(row)
    }
}

/// What an entity becomes.
#[derive(Clone, PartialEq, Eq)]
pub struct EntityPut {
    /// The aggregate, as JSON.
    pub document: String,
    /// What of it is secret, sealed.
    pub sealed: Option<Vec<u8>>,
    /// Further names by which it is found, all of them: each is one entity's within kind and region, and has no line feed. None to
    /// leave them as they are.
    pub keys: Option<Vec<String>>,
}

impl std::fmt::Debug for EntityPut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntityPut")
            .field("document", &self.document)
            .field("sealed bytes", &self.sealed.as_ref().map(Vec::len))
            .field("keys", &self.keys)
            .finish()
    }
}

/// An entity of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedEntity {
    /// The entity.
    pub row: EntityRow,
    /// The further names by which it is found, ordered.
    pub keys: Vec<String>,
}

/// Keys as one column holds them.
pub(crate) fn keys(text: Option<String>) -> Vec<String> {
    text.map(|text| text.split('\n').map(str::to_owned).collect()).unwrap_or_default()
}
