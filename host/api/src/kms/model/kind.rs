//! The types that several operations share, named as AWS's model names them.

use pawl_core::limits;

use crate::model::{Integer, Kind, Length, Map, Member, Pattern, Structure, Text};

pub(super) const fn member(name: &'static str, kind: Kind) -> Member {
    Member::new(name, kind)
}

pub(super) const fn text(min: usize, max: usize) -> Kind {
    Kind::Text(Text::of(Length::within(min, max)))
}

pub(super) const fn one_of(choices: &'static [&'static str]) -> Kind {
    Kind::Text(Text::one_of(choices))
}

pub(super) const fn integer(min: i64, max: i64) -> Kind {
    Kind::Integer(Integer { long: false, min: Some(min), max: Some(max) })
}

/// The kind of a list.
macro_rules! list {
    ($length:expr, $element:expr) => {{
        // A constant of its own, for a reference to it must outlive the expression.
        const LIST: $crate::model::Kind =
            $crate::model::Kind::List(&$crate::model::List { length: $length, element: $element });
        LIST
    }};
}
pub(super) use list;

const ANY_TEXT: Kind = Kind::Text(Text::of(Length::ANY));
pub(super) const FLAG: Kind = Kind::Boolean;
pub(super) const KEY_REF: Kind = text(1, limits::KEY_ID_CHARS_MAX);
pub(super) const CONTEXT: Kind = Kind::Map(&Map { key: ANY_TEXT, value: ANY_TEXT });
pub(super) const MESSAGE: Kind = Kind::Blob(Length::within(1, limits::KEY_PLAINTEXT_BYTES_MAX));
pub(super) const CIPHERTEXT: Kind = Kind::Blob(Length::within(1, limits::KEY_CIPHERTEXT_BYTES_MAX));
pub(super) const TAG_KEY: Kind = text(1, limits::TAG_KEY_CHARS_MAX);
pub(super) const ALGORITHM: Kind =
    one_of(&["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"]);
/// What `CustomerMasterKeySpec` may be.
pub(super) const OLD_KEY_SPECS: &[&str] = &[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
];
/// What `KeySpec` may be.
pub(super) const KEY_SPECS: &[&str] = &[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ECC_NIST_EDWARDS25519",
];

pub(super) const KEY_ID: Member = member("KeyId", KEY_REF).required();
pub(super) const ALIAS_NAME: Member = member(
    "AliasName",
    Kind::Text(Text::of(Length::within(1, limits::KEY_ALIAS_CHARS_MAX)).matching(&Pattern::KEY_ALIAS)),
)
.required();
pub(super) const GRANT_TOKENS: Member = member(
    "GrantTokens",
    list!(Length::within(0, limits::KEY_GRANT_TOKENS_MAX), text(1, limits::KEY_GRANT_TOKEN_CHARS_MAX)),
)
.accepted("checked and then ignored: there are no grants");
pub(super) const DRY_RUN: Member = member("DryRun", FLAG);
pub(super) const DRY_RUN_MODIFIERS: Member =
    member("DryRunModifiers", list!(Length::ANY, one_of(&["IGNORE_CIPHERTEXT"])))
        .accepted("a dry run looks at the ciphertext whatever they say");
pub(super) const RECIPIENT: Member = member("Recipient", Kind::Structure(&RECIPIENT_INFO))
    .refused("UnsupportedOperationException: there are no enclaves");
pub(super) const MAC_ALGORITHM: Member =
    member("MacAlgorithm", one_of(&["HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"]))
        .required();
pub(super) const NUMBER_OF_BYTES: Member = member("NumberOfBytes", integer(1, limits::KEY_RANDOM_BYTES_MAX));
pub(super) const DATA_KEY_SPEC: Member = member("KeySpec", one_of(&["AES_256", "AES_128"]));
pub(super) const LIMIT: Member = member("Limit", integer(1, limits::KEY_PAGE_ENTRIES_MAX as i64));
pub(super) const MARKER: Member = member(
    "Marker",
    Kind::Text(Text::of(Length::within(1, limits::KEY_MARKER_CHARS_MAX)).matching(&Pattern::MARKER)),
);
pub(super) const POLICY: Member = member(
    "Policy",
    Kind::Text(
        Text::of(Length::within(1, limits::KEY_POLICY_MODEL_CHARS_MAX)).matching(&Pattern::KEY_POLICY),
    ),
);
pub(super) const POLICY_NAME: Member = member(
    "PolicyName",
    Kind::Text(Text::of(Length::within(1, limits::KEY_POLICY_NAME_CHARS_MAX)).matching(&Pattern::WORD)),
);
pub(super) const TAGS: Member = member("Tags", list!(Length::ANY, Kind::Structure(&TAG)));

static TAG: Structure = Structure {
    name: "Tag",
    members: &[
        member("TagKey", TAG_KEY).required(),
        member("TagValue", text(0, limits::TAG_VALUE_CHARS_MAX)).required(),
    ],
};
static RECIPIENT_INFO: Structure = Structure {
    name: "RecipientInfo",
    members: &[
        member("KeyEncryptionAlgorithm", one_of(&["RSAES_OAEP_SHA_256"])),
        member("AttestationDocument", Kind::Blob(Length::within(1, limits::ATTESTATION_BYTES_MAX))),
    ],
};
