//! The types that several operations share, named as AWS's model names them.

use pawl_core::limits;

use crate::model::{Integer, Kind, Length, Map, Member, Pattern, Text};

use super::{list, structures};

pub(super) const fn member(name: &'static str, kind: Kind) -> Member {
    Member::new(name, kind)
}

pub(super) const fn text(min: usize, max: usize) -> Kind {
    Kind::Text(Text::of(Length::within(min, max)))
}

pub(super) const ANY_TEXT: Kind = Kind::Text(Text::of(Length::ANY));
pub(super) const ID_OR_NAME: Kind = text(1, limits::SECRET_ID_CHARS_MAX);
pub(super) const SECRET_ARN: Kind = text(limits::ARN_CHARS_MIN, limits::ARN_CHARS_MAX);
pub(super) const LONG_NAME: Kind = text(1, limits::NAME_CHARS_MAX);
pub(super) const VERSION: Kind = text(limits::VERSION_ID_CHARS_MIN, limits::VERSION_ID_CHARS_MAX);
pub(super) const STAGE: Kind = text(1, limits::LABEL_CHARS_MAX);
pub(super) const STAGES: Kind = list!(Length::within(1, limits::LABELS_PER_VERSION_MAX), STAGE);
pub(super) const STAGES_OF_VERSIONS: Kind = Kind::Map(&Map { key: VERSION, value: STAGES });
pub(super) const KMS_KEY: Kind = text(0, limits::KEY_ID_CHARS_MAX);
pub(super) const PAGE_SIZE: Kind = Kind::Integer(Integer { long: false, min: Some(1), max: Some(PAGE_MAX) });
const PAGE_MAX: i64 = limits::PAGE_ENTRIES_MAX as i64;
pub(super) const PAGE_TOKEN: Kind = text(1, limits::NEXT_TOKEN_CHARS_MAX);
pub(super) const REGION: Kind =
    Kind::Text(Text::of(Length::within(1, limits::REGION_CHARS_MAX)).matching(&Pattern::REGION));
pub(super) const STATUS: Kind = Kind::Text(
    Text::one_of(&["InSync", "Failed", "InProgress", "Pending", "Detached"])
        .since_1_44(&["Pending", "Detached"]),
);
pub(super) const STATUS_MESSAGE: Kind = text(1, limits::STATUS_MESSAGE_CHARS_MAX);

pub(super) const SECRET_ID: Member = member("SecretId", ID_OR_NAME).required();
pub(super) const TOKEN: Member = member("ClientRequestToken", VERSION);
pub(super) const DESCRIPTION: Member =
    member("Description", Kind::Text(Text::of(Length::to(limits::DESCRIPTION_CHARS_MAX))));
pub(super) const KMS_KEY_ID: Member = member("KmsKeyId", KMS_KEY);
pub(super) const TYPE: Member = member("Type", text(0, limits::SECRET_TYPE_CHARS_MAX));
pub(super) const SECRET_STRING: Member =
    member("SecretString", Kind::Text(Text::of(Length::within(1, limits::VALUE_BYTES_MAX)).in_bytes()))
        .sensitive();
pub(super) const SECRET_BINARY: Member =
    member("SecretBinary", Kind::Blob(Length::within(1, limits::VALUE_BYTES_MAX))).sensitive();
pub(super) const VERSION_STAGES: Member = member("VersionStages", STAGES);
pub(super) const MAX_RESULTS: Member = member("MaxResults", PAGE_SIZE);
pub(super) const NEXT_TOKEN: Member = member("NextToken", PAGE_TOKEN);
pub(super) const TAGS: Member = member("Tags", list!(Length::ANY, Kind::Structure(&TAG)));
pub(super) const FILTERS: Member =
    member("Filters", list!(Length::to(limits::FILTERS_MAX), Kind::Structure(&FILTER)));

pub(super) const ARN: Member = member("ARN", SECRET_ARN);
/// The name in most answers. AWS's model is wrong here: names have up to 512 characters.
pub(super) const NAME: Member = member("Name", text(1, limits::ANSWERED_NAME_CHARS_MAX));
/// The name in the answers of the operations on policies.
pub(super) const NAME_512: Member = member("Name", LONG_NAME);
pub(super) const VERSION_ID: Member = member("VersionId", VERSION);
pub(super) const CREATED_DATE: Member = member("CreatedDate", Kind::Timestamp);

structures! {
    TAG = "Tag" [
        member("Key", text(1, limits::TAG_KEY_CHARS_MAX)),
        member("Value", text(0, limits::TAG_VALUE_CHARS_MAX)),
    ]
    FILTER = "Filter" [
        member(
            "Key",
            // In the order of AWS's error.
            Kind::Text(Text::one_of(&[
                "all", "name", "tag-key", "description", "tag-value", "primary-region", "owning-service",
            ])),
        ),
        member("Values", list!(Length::within(1, limits::FILTER_VALUES_MAX), Kind::Text(
                Text::of(Length::to(limits::FILTER_VALUE_CHARS_MAX)).matching(&Pattern::FILTER_VALUE),
            ))),
    ]
}

/// No service owns secrets at Pawl.
pub(super) const OWNING_SERVICE: Member = member("OwningService", text(1, limits::OWNING_SERVICE_CHARS_MAX))
    .never("no service owns secrets at Pawl");
/// Where a replicated secret is written.
pub(super) const PRIMARY_REGION: Member = member("PrimaryRegion", REGION);
