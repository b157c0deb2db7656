//! What AWS documents for Secrets Manager (botocore model 2017-10-17).

mod keys;

use std::time::Duration;

pub use self::keys::*;

/// Bytes of a secret value.
pub const VALUE_BYTES_MAX: usize = 65_536;
/// Characters of a secret's name in a request.
pub const NAME_CHARS_MAX: usize = 512;
/// Characters of a SecretId.
pub const SECRET_ID_CHARS_MAX: usize = 2_048;
/// Characters of a ClientRequestToken or VersionId, least.
pub const VERSION_ID_CHARS_MIN: usize = 32;
/// Characters of a ClientRequestToken or VersionId, most.
pub const VERSION_ID_CHARS_MAX: usize = 64;
/// Characters of a staging label.
pub const LABEL_CHARS_MAX: usize = 256;
/// Staging labels of one version.
pub const LABELS_PER_VERSION_MAX: usize = 20;
/// Characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 2_048;
/// Characters of a tag's key.
pub const TAG_KEY_CHARS_MAX: usize = 128;
/// Characters of a tag's value.
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// Tags of one secret (AWS's quota).
pub const TAGS_MAX: usize = 50;
/// Random characters at the end of an ARN.
pub const ARN_SUFFIX_CHARS: usize = 6;
/// Days before a deleted secret is purged: least, most, and when nothing is said.
pub const RECOVERY_DAYS_MIN: i64 = 7;
/// See [`RECOVERY_DAYS_MIN`].
pub const RECOVERY_DAYS_MAX: i64 = 30;
/// See [`RECOVERY_DAYS_MIN`].
pub const RECOVERY_DAYS_DEFAULT: i64 = 30;
/// Versions without a label that are kept.
pub const DEPRECATED_VERSIONS_MAX: usize = 100;
/// Age in hours below which a version without a label is always kept.
pub const DEPRECATED_HOURS_MIN: u64 = 24;
/// Characters of a generated password when nothing is said.
pub const PASSWORD_CHARS_DEFAULT: u32 = 32;
/// Characters of a generated password, most.
pub const PASSWORD_CHARS_MAX: u32 = 4_096;
/// Days of AutomaticallyAfterDays, most.
pub const ROTATION_DAYS_MAX: u32 = 1_000;
/// Days of a rate expression, most.
pub const ROTATION_RATE_DAYS_MAX: u32 = 999;
/// Hours between two rotations by schedule, least.
pub const ROTATION_HOURS_MIN: u32 = 4;
/// Characters of a schedule expression, most.
pub const SCHEDULE_CHARS_MAX: usize = 256;
/// Entries of one page of a list: most, and when nothing is said.
pub const PAGE_ENTRIES_MAX: u32 = 100;
/// How long a page's token is good for (AWS documents that they expire; Pawl's do after a day).
pub const NEXT_TOKEN_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Secrets that one page of a list looks at, most: filters that find little give short pages.
pub const LIST_ROWS_MAX: u32 = 10_000;
/// Characters of a page's token.
pub const NEXT_TOKEN_CHARS_MAX: usize = 4_096;
/// Filters of one ListSecrets.
pub const FILTERS_MAX: usize = 10;
/// Values of one filter.
pub const FILTER_VALUES_MAX: usize = 10;
/// Characters of one value of a filter.
pub const FILTER_VALUE_CHARS_MAX: usize = 512;
/// Regions that a secret can be replicated to; AWS has fewer.
pub const REPLICA_REGIONS_MAX: usize = 64;
/// Secrets of one BatchGetSecretValue, by ids or by a page.
pub const BATCH_SECRETS_MAX: usize = 20;
/// Characters of an ARN, least.
pub const ARN_CHARS_MIN: usize = 20;
/// Characters of an ARN, most.
pub const ARN_CHARS_MAX: usize = 2_048;
/// Characters of a resource policy.
pub const POLICY_CHARS_MAX: usize = 20_480;
/// Characters of a key's policy (KMS: 32 KB).
pub const KEY_POLICY_CHARS_MAX: usize = 32_768;
/// Characters of a policy that IAM reads at all (IAM's model: `policyDocumentType`).
pub const IAM_POLICY_CHARS_MAX: usize = 131_072;
/// Characters of all inline policies of a user together, white space not counted (IAM's quota).
pub const USER_POLICY_CHARS_MAX: usize = 2_048;
/// Characters of all inline policies of a group together, white space not counted (IAM's quota).
pub const GROUP_POLICY_CHARS_MAX: usize = 5_120;
/// Characters of all inline policies of a role together, white space not counted (IAM's quota).
pub const ROLE_POLICY_CHARS_MAX: usize = 10_240;
/// Characters of a managed policy, white space not counted (IAM's quota).
pub const MANAGED_POLICY_CHARS_MAX: usize = 6_144;
/// Characters of a role's trust policy, white space not counted (IAM's quota, which AWS raises to 4,096 on request).
pub const TRUST_POLICY_CHARS_MAX: usize = 4_096;
/// Characters of a session's policy (STS's model).
pub const SESSION_POLICY_CHARS_MAX: usize = 2_048;
/// Characters of a resource policy's name.
pub const POLICY_NAME_CHARS_MAX: usize = 64;
/// Characters of a region's name.
pub const REGION_CHARS_MAX: usize = 128;
/// Characters of a secret's type.
pub const SECRET_TYPE_CHARS_MAX: usize = 256;
/// Characters of the name of a service that owns secrets.
pub const OWNING_SERVICE_CHARS_MAX: usize = 128;
/// Characters of a text that explains a replica's status.
pub const STATUS_MESSAGE_CHARS_MAX: usize = 4_096;
/// Replicas of one secret in other accounts.
pub const CROSS_ACCOUNT_REPLICAS_MAX: usize = 100;
/// Characters of a RotationToken, least.
pub const ROTATION_TOKEN_CHARS_MIN: usize = 36;
/// Characters of a RotationToken, most.
pub const ROTATION_TOKEN_CHARS_MAX: usize = 256;
/// Characters of a rotation window's duration, least.
pub const DURATION_CHARS_MIN: usize = 2;
/// Characters of a rotation window's duration, most.
pub const DURATION_CHARS_MAX: usize = 3;
/// Characters of a key in the metadata of an external secret's rotation.
pub const ROTATION_METADATA_KEY_CHARS_MAX: usize = 256;
/// Characters of a value in the metadata of an external secret's rotation.
pub const ROTATION_METADATA_VALUE_CHARS_MAX: usize = 2_048;
/// Characters of the name of a check of a resource policy.
pub const CHECK_NAME_CHARS_MAX: usize = 512;
/// Characters of a secret's name in most answers.
pub const ANSWERED_NAME_CHARS_MAX: usize = 256;
/// Characters of a KMS key's id.
pub const KEY_ID_CHARS_MAX: usize = 2_048;
/// Characters of a rotation function's ARN.
pub const FUNCTION_ARN_CHARS_MAX: usize = 2_048;
/// Characters of GetRandomPassword's ExcludeCharacters.
pub const EXCLUDED_CHARS_MAX: usize = 4_096;
