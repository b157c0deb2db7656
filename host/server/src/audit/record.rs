//! A record in CloudTrail's form, in the order in which CloudTrail writes its members.

use std::cell::RefCell;

use pawl_api::Target;
use pawl_core::names::AccountId;
use pawl_core::world::Timestamp;

use super::identity;
use super::json::Object;
use super::trail::KeyUse;
use crate::identity::Caller;

/// The version of CloudTrail's form.
const EVENT_VERSION: &str = "1.11";
/// As who Secrets Manager uses keys and rotates.
pub(super) const SERVICE: &str = "secretsmanager.amazonaws.com";

/// A moment to the second, as CloudTrail has it: `2026-11-23T20:00:05Z`.
pub(super) fn second(at: Timestamp) -> String {
    at.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// [`second`], without writing the same second over and over.
fn with_second<T>(at: Timestamp, with: impl FnOnce(&str) -> T) -> T {
    thread_local! {
        static LAST: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    LAST.with_borrow_mut(|(last, text)| {
        let this = at.millis().div_euclid(1_000);
        if *last != this {
            (*last, *text) = (this, second(at));
        }
        with(text.as_str())
    })
}

/// A call, and what came of it.
pub(super) struct Record<'a> {
    pub(super) account: &'a AccountId,
    pub(super) at: Timestamp,
    pub(super) source: &'a str,
    pub(super) name: &'a str,
    pub(super) region: &'a str,
    pub(super) address: &'a str,
    pub(super) agent: &'a str,
    pub(super) caller: Option<&'a Caller>,
    pub(super) access_key: Option<&'a str>,
    pub(super) error: Option<(&'a str, &'a str)>,
    pub(super) parameters: Option<&'a [u8]>,
    pub(super) elements: Option<&'a [u8]>,
    pub(super) request_id: &'a str,
    pub(super) event_id: &'a str,
    pub(super) read_only: bool,
    pub(super) resources: &'a [String],
}

impl Record<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut record = Object::begin(out);
        record.text("eventVersion", EVENT_VERSION);
        record.object("userIdentity", |who| {
            identity::write(who, self.account, self.caller, self.access_key, None);
        });
        with_second(self.at, |time| record.text("eventTime", time));
        record.text("eventSource", self.source);
        record.text("eventName", self.name);
        record.text("awsRegion", self.region);
        record.text("sourceIPAddress", self.address);
        record.text("userAgent", self.agent);
        if let Some((code, message)) = self.error {
            record.text("errorCode", code);
            if !message.is_empty() {
                record.text("errorMessage", message);
            }
        }
        record.raw("requestParameters", self.parameters.unwrap_or(b"null"));
        record.raw("responseElements", self.elements.unwrap_or(b"null"));
        self.write_end(&mut record, self.event_id, self.read_only, |out| {
            resources(out, self.account, self.resources.iter().map(String::as_str));
        });
        record.end();
    }

    /// A use of a key that the call has led to, as CloudTrail writes it for KMS.
    pub(super) fn write_key_use(&self, out: &mut Vec<u8>, key: &KeyUse, event_id: &str) {
        let mut record = Object::begin(out);
        record.text("eventVersion", EVENT_VERSION);
        record.object("userIdentity", |who| {
            identity::write(who, self.account, self.caller, self.access_key, Some(SERVICE));
        });
        with_second(self.at, |time| record.text("eventTime", time));
        record.text("eventSource", "kms.amazonaws.com");
        record.text("eventName", key.operation);
        record.text("awsRegion", key.key.split(':').nth(3).unwrap_or(self.region));
        record.text("sourceIPAddress", SERVICE);
        record.text("userAgent", SERVICE);
        if key.denied {
            record.text("errorCode", "AccessDenied");
        }
        record.object("requestParameters", |asked| {
            asked.text("keyId", &key.key);
            if key.operation == "GenerateDataKey" {
                asked.text("keySpec", "AES_256");
            } else {
                asked.text("encryptionAlgorithm", "SYMMETRIC_DEFAULT");
            }
            asked.object("encryptionContext", |context| {
                context.text("SecretARN", &key.secret);
                context.text("SecretVersionId", &key.version);
            });
        });
        record.raw("responseElements", b"null");
        self.write_end(&mut record, event_id, true, |out| {
            resources(out, self.account, std::iter::once(key.key.as_str()));
        });
        record.end();
    }

    fn write_end(
        &self,
        record: &mut Object<'_>,
        event_id: &str,
        read_only: bool,
        resources: impl FnOnce(&mut Vec<u8>),
    ) {
        record.text("requestID", self.request_id);
        record.text("eventID", event_id);
        record.flag("readOnly", read_only);
        let mut listed = Vec::new();
        resources(&mut listed);
        if !listed.is_empty() {
            record.raw("resources", &listed);
        }
        record.text("eventType", "AwsApiCall");
        record.flag("managementEvent", true);
        record.text("recipientAccountId", self.account.as_str());
        record.text("eventCategory", "Management");
    }
}

fn resources<'a>(out: &mut Vec<u8>, account: &AccountId, arns: impl Iterator<Item = &'a str>) {
    for arn in arns {
        out.push(if out.is_empty() { b'[' } else { b',' });
        let mut resource = Object::begin(out);
        resource.text("accountId", account.as_str());
        resource.maybe("type", kind_of(arn));
        resource.text("ARN", arn);
        resource.end();
    }
    if !out.is_empty() {
        out.push(b']');
    }
}

fn kind_of(arn: &str) -> Option<&'static str> {
    match arn.split(':').nth(2)? {
        "secretsmanager" => Some("AWS::SecretsManager::Secret"),
        "kms" => Some("AWS::KMS::Key"),
        "lambda" => Some("AWS::Lambda::Function"),
        _ => None,
    }
}

/// Something that Pawl did by itself, or that is known from the store alone.
pub(super) struct ServiceEvent<'a> {
    pub(super) account: &'a AccountId,
    pub(super) at: Timestamp,
    pub(super) source: &'a str,
    pub(super) name: &'a str,
    /// The ARN whose region it is of.
    pub(super) arn: &'a str,
    pub(super) principal: &'a str,
    /// Whether somebody had called for it.
    pub(super) by_caller: bool,
    pub(super) request_id: &'a str,
    pub(super) event_id: &'a str,
    pub(super) error: Option<(&'a str, &'a str)>,
    /// A JSON object.
    pub(super) details: &'a [u8],
}

impl ServiceEvent<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut record = Object::begin(out);
        record.text("eventVersion", EVENT_VERSION);
        record.object("userIdentity", |who| {
            if self.by_caller {
                let kind = match self.principal {
                    arn if arn.ends_with(":root") => "Root",
                    arn if arn.contains(":assumed-role/") => "AssumedRole",
                    _ => "IAMUser",
                };
                who.text("type", kind);
                who.text("arn", self.principal);
                who.text("accountId", self.account.as_str());
            } else {
                who.text("type", "AWSService");
                if self.principal.starts_with("arn:") {
                    who.text("arn", self.principal);
                }
                who.text("accountId", self.account.as_str());
                who.text("invokedBy", SERVICE);
            }
        });
        record.text("eventTime", &second(self.at));
        record.text("eventSource", self.source);
        record.text("eventName", self.name);
        record.text("awsRegion", self.arn.split(':').nth(3).unwrap_or_default());
        record.text("sourceIPAddress", SERVICE);
        record.text("userAgent", SERVICE);
        if let Some((code, message)) = self.error {
            record.text("errorCode", code);
            record.text("errorMessage", message);
        }
        record.raw("requestParameters", b"null");
        record.raw("responseElements", b"null");
        record.raw("additionalEventData", self.details);
        record.text("requestID", self.request_id);
        record.text("eventID", self.event_id);
        record.flag("readOnly", false);
        let mut listed = Vec::new();
        if self.arn.starts_with("arn:") {
            resources(&mut listed, self.account, std::iter::once(self.arn));
            record.raw("resources", &listed);
        }
        record.text("eventType", if self.by_caller { "AwsApiCall" } else { "AwsServiceEvent" });
        record.flag("managementEvent", true);
        record.text("recipientAccountId", self.account.as_str());
        record.text("eventCategory", "Management");
        record.end();
    }
}

/// The source of a service's events.
pub(super) fn source_of(target: Target) -> &'static str {
    match target {
        Target::SecretsManager(_) => "secretsmanager.amazonaws.com",
        Target::Lambda(_) => "lambda.amazonaws.com",
        Target::Iam(_) => "iam.amazonaws.com",
        Target::Sts(_) => "sts.amazonaws.com",
        Target::Kms(_) => "kms.amazonaws.com",
        // Not AWS's, so not under AWS's name.
        Target::Pawl(_) => "pawl",
    }
}

/// Whether an operation changes nothing. KMS's cryptography is reading to CloudTrail, and so is AssumeRole.
pub(super) fn is_read_only(target: Target) -> bool {
    let name = target.name();
    let reads = ["Get", "List", "Describe", "BatchGet", "Validate", "Simulate", "Check", "Plan"];
    match target {
        Target::Kms(_) if name == "GetParametersForImport" => false,
        Target::Pawl(_) if name == "CheckSecret" => false,
        Target::Kms(_) => {
            let uses = ["Encrypt", "Decrypt", "ReEncrypt", "Generate", "Sign", "Verify"];
            reads.iter().chain(&uses).any(|verb| name.starts_with(verb))
        }
        Target::Sts(_) => true,
        _ => reads.iter().any(|verb| name.starts_with(verb)),
    }
}

/// CloudTrail's name of an operation: Lambda's have the date of its API at their end.
pub(super) fn event_name(target: Target) -> std::borrow::Cow<'static, str> {
    match target {
        Target::Lambda(_) if target.name() != "Invoke" => format!("{}20150331", target.name()).into(),
        _ => target.name().into(),
    }
}

/// A message without what it repeats of a request: a value might be in it.
pub(super) fn message_without_values(code: &str, message: &str) -> String {
    if code.starts_with("Serialization") {
        return String::new();
    }
    match message.split_once("Value '") {
        Some((before, _)) => format!("{before}[values are not recorded]"),
        None => message.to_owned(),
    }
}

/// A text that a stranger may have sent, short and without what no log should hold.
pub(super) fn told_by_stranger(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}
