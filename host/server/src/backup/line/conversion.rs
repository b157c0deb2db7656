//! Between lines and what a store exports.

use pawl_store::{
    ApprovalRow, ArchivedEntity, ArchivedFunction, ArchivedRotation, EndedRotation, EntityRow, FunctionRow,
    KeptRotation, RowMac,
};

use super::{ApprovalLine, Bytes, EntityLine, FunctionLine, RotationLine};

pub(super) fn line_mac(mac: &RowMac) -> Option<Bytes> {
    mac.bytes().map(|bytes| Bytes(bytes.to_vec()))
}

pub(super) fn row_mac(mac: Option<Bytes>) -> RowMac {
    mac.map(|mac| mac.0).into()
}

impl From<ArchivedFunction> for FunctionLine {
    fn from(function: ArchivedFunction) -> Self {
        let ArchivedFunction { row, names } = function;
        let FunctionRow { id, region, name, revision, document, mac } = row;
        Self { id, region, name, revision, names, document, mac: line_mac(&mac) }
    }
}

impl From<FunctionLine> for ArchivedFunction {
    fn from(line: FunctionLine) -> Self {
        let FunctionLine { id, region, name, revision, names, document, mac } = line;
        Self { row: FunctionRow { id, region, name, revision, document, mac: row_mac(mac) }, names }
    }
}

impl From<ApprovalRow> for ApprovalLine {
    fn from(row: ApprovalRow) -> Self {
        let ApprovalRow { region, name, document, mac } = row;
        Self { region, name, document, mac: line_mac(&mac) }
    }
}

impl From<ApprovalLine> for ApprovalRow {
    fn from(line: ApprovalLine) -> Self {
        let ApprovalLine { region, name, document, mac } = line;
        Self { region, name, document, mac: row_mac(mac) }
    }
}

impl From<ArchivedEntity> for EntityLine {
    fn from(entity: ArchivedEntity) -> Self {
        let ArchivedEntity { row, keys } = entity;
        let EntityRow { kind, region, name, revision, document, sealed, mac } = row;
        let (sealed, mac) = (sealed.map(Bytes), line_mac(&mac));
        Self { kind, region, name, revision, keys, document, sealed, mac }
    }
}

impl From<EntityLine> for ArchivedEntity {
    fn from(line: EntityLine) -> Self {
        let EntityLine { kind, region, name, revision, keys, document, sealed, mac } = line;
        let (sealed, mac) = (sealed.map(|sealed| sealed.0), row_mac(mac));
        Self { row: EntityRow { kind, region, name, revision, document, sealed, mac }, keys }
    }
}

impl From<ArchivedRotation> for RotationLine {
    fn from(rotation: ArchivedRotation) -> Self {
        let ArchivedRotation { arn, kept: KeptRotation { number, rotation } } = rotation;
        let EndedRotation { token, status, requested_at, finished_at, document } = rotation;
        Self { arn, number, token, status, requested_at, finished_at, document }
    }
}

impl From<RotationLine> for ArchivedRotation {
    fn from(line: RotationLine) -> Self {
        let RotationLine { arn, number, token, status, requested_at, finished_at, document } = line;
        let rotation = EndedRotation { token, status, requested_at, finished_at, document };
        Self { arn, kept: KeptRotation { number, rotation } }
    }
}
