//! Pawl's own operations, on the same wire: target prefix `Pawl.`, signing name `pawl`.

use pawl_core::limits;
use serde::{Deserialize, Serialize};

use crate::model::{Integer, Kind, Length, Member, Structure, Text};
use crate::shape::{Request, shapes};
use crate::target::operations;
use crate::time::EpochSeconds;

/// The service's name in the scope of a request's signature.
pub const SIGNING_NAME: &str = "pawl";

operations! {
    "Pawl", "pawl",
    /// Moves the development clock forward. Only with `pawl serve --dev-clock`.
    AdvanceClock;
    /// What the host is and how it is.
    DescribeHost;
    /// The last rotation of a secret: where it stands, or how it ended.
    DescribeRotation;
}

/// How a rotation stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotationStatus {
    /// On its way, or waiting for its next try.
    #[default]
    Running,
    /// The new password is AWSCURRENT.
    Succeeded,
    /// A person must act; AWSCURRENT still works.
    Failed,
    /// A person must act, and the database has taken the new password: AWSPENDING holds the one that works.
    Stranded,
    /// Ended by CancelRotateSecret.
    Cancelled,
    /// Ended because somebody changed or deleted the secret meanwhile.
    Abandoned,
}

/// How the last try of a step ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepOutcome {
    /// It has not.
    #[default]
    Running,
    /// It did what it had to.
    Done,
    /// It is tried again.
    Transient,
    /// A person must act.
    Permanent,
    /// Something else has taken over the secret.
    Superseded,
}

shapes! {
    /// `DescribeRotation` takes this. Without a version: the last rotation that there was.
    DescribeRotationRequest {
        required { secret_id: String, }
        optional { version_id: String, }
    }

    /// A rotation.
    #[derive(Clone)]
    DescribeRotationResponse {
        required {
            #[serde(rename = "ARN")] arn: String,
            name: String,
            version_id: String,
            status: RotationStatus,
            /// The number of the current step's current or next try, from 1.
            attempt: u32,
            /// The server's time, to which `not_before` relates.
            now: EpochSeconds,
            requested_date: EpochSeconds,
            steps: Vec<StepRun>,
            log: Vec<LogLine>,
        }
        optional {
            /// The step that runs or is next, as AWS spells it; none when the rotation has ended well.
            step: String,
            /// When the next try may start.
            not_before: EpochSeconds,
            finished_date: EpochSeconds,
            #[serde(rename = "FunctionARN")] function_arn: String,
            function_digest: String,
            failure: Failure,
        }
    }

    /// One step that was begun.
    #[derive(Clone)]
    StepRun {
        required {
            step: String,
            started_date: EpochSeconds,
            /// How long its tries took, without the waits between them.
            milliseconds: u64,
            attempts: u32,
            outcome: StepOutcome,
        }
    }

    /// Why the last try did not succeed. Names users and targets, never a value.
    #[derive(Clone, PartialEq, Eq)]
    Failure {
        required {
            step: String,
            reason: String,
            /// Whether the host tries again by itself.
            retryable: bool,
        }
    }

    /// What the rotation function had to say.
    #[derive(Clone, PartialEq, Eq)]
    LogLine {
        required { level: String, message: String, step: String, }
    }

    /// `AdvanceClock` takes this.
    AdvanceClockRequest {
        required { seconds: u64, }
    }

    /// `AdvanceClock` answers this.
    AdvanceClockResponse {
        required { now: EpochSeconds, }
    }

    /// `DescribeHost` takes this.
    DescribeHostRequest {}

    /// A host.
    DescribeHostResponse {
        required {
            version: String,
            account: String,
            region: String,
            /// The time by which secrets live.
            now: EpochSeconds,
            clock: ClockView,
            store: StoreView,
            keyring: KeyringView,
            functions: Vec<FunctionView>,
        }
        optional {
            /// The host's id: the same at every start in its data directory.
            host_id: String,
        }
    }

    /// A host's clock.
    ClockView {
        required {
            /// `System` or `Development`.
            kind: String,
            /// The time by which machines agree.
            wall: EpochSeconds,
            /// How far the development clock has been moved.
            advanced_seconds: u64,
        }
    }

    /// A host's store.
    StoreView {
        required {
            /// `SQLite` or `PostgreSQL`.
            kind: String,
        }
        optional {
            location: String,
            schema: u32,
            secrets: u64,
            versions: u64,
            bytes: u64,
            /// How it keeps what it has acknowledged.
            durability: String,
            /// What is wrong with it.
            problems: Vec<String>,
            /// How far its own clock is ahead of this host's, when it has one.
            clock_ahead_milliseconds: i64,
            /// The rotations that are claimed.
            leases: Vec<LeaseView>,
        }
    }

    /// A claim on a rotation.
    LeaseView {
        required {
            #[serde(rename = "SecretARN")] secret_arn: String,
            /// The id of the host that holds it.
            host: String,
            /// The claim's number.
            epoch: u64,
            /// How long it still holds; less than nothing when its time is over and nobody has taken it.
            milliseconds_left: i64,
        }
    }

    /// A host's keyring.
    KeyringView {
        required {
            /// Where the root key comes from: `File`.
            kind: String,
        }
        optional { key_id: String, }
    }

    /// A rotation function that is ready.
    FunctionView {
        required {
            #[serde(rename = "FunctionARN")] function_arn: String,
            digest: String,
            engines: Vec<String>,
        }
    }

}

impl Request for DescribeRotationRequest {
    type Response = DescribeRotationResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::DescribeRotation);
    const MODEL: &'static Structure = &Structure {
        name: "DescribeRotationRequest",
        members: &[
            Member::new("SecretId", Kind::Text(Text::of(Length::within(1, limits::SECRET_ID_CHARS_MAX))))
                .required(),
            Member::new("VersionId", Kind::Text(Text::of(Length::ANY))),
        ],
    };
}

impl Request for AdvanceClockRequest {
    type Response = AdvanceClockResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::AdvanceClock);
    const MODEL: &'static Structure = &Structure {
        name: "AdvanceClockRequest",
        members: &[
            Member::new("Seconds", Kind::Integer(Integer { long: true, min: Some(0), max: None })).required()
        ],
    };
}

impl Request for DescribeHostRequest {
    type Response = DescribeHostResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::DescribeHost);
    const MODEL: &'static Structure = &Structure { name: "DescribeHostRequest", members: &[] };
}
