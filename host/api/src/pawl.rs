//! Pawl's own operations, on the same wire: target prefix `Pawl.`, signing name `pawl`.

mod grants;
mod host;
mod logs;
mod root_key;

use pawl_core::limits;
use serde::{Deserialize, Serialize};

use crate::model::{Integer, Kind, Length, List, Member, Structure, Text};
use crate::shape::{Request, shapes};
use crate::target::operations;
use crate::time::EpochSeconds;

pub use self::grants::*;
pub use self::host::*;
pub use self::logs::*;
pub use self::root_key::*;

/// The service's name in the scope of a request's signature.
pub const SIGNING_NAME: &str = "pawl";

operations! {
    "Pawl", "pawl",
    /// Moves the development clock forward. Only with `pawl serve --dev-clock`.
    AdvanceClock;
    /// Approves what functions of a name may ask to reach.
    ApproveFunction;
    /// Whether the logins that a secret's versions hold open their database.
    CheckSecret;
    /// What functions of a name may reach, and what their versions ask.
    DescribeFunctionGrants;
    /// What the host is and how it is.
    DescribeHost;
    /// Which root key the store is under, and how far a rotation of it is.
    DescribeRootKey;
    /// The last rotation of a secret: where it stands, or how it ended.
    DescribeRotation;
    /// Removes former root keys from the host.
    ForgetRootKeys;
    /// What happened to secrets, from a number on; waits a while for more.
    ListEvents;
    /// What a function has written on this host, line by line; waits a while for more.
    ListFunctionLogs;
    /// The rotations of a secret that there were, the newest first.
    ListRotations;
    /// The rotations to come, secret by secret.
    PlanRotations;
    /// Moves the store to a new root key.
    RotateRootKey;
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

/// Whether what a secret holds is what the database has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Drift {
    /// AWSCURRENT logs in.
    #[default]
    None,
    /// AWSCURRENT does not log in; another version does, or may.
    Drifted,
    /// The database refuses every version that the secret holds. Where users alternate, a rotation heals it by the master's login.
    LockedOut,
    /// The database could not be asked.
    Unknown,
    /// A rotation is on its way, which is about to tell.
    Rotating,
}

/// How a login went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginOutcome {
    /// The server took the credentials.
    Accepted,
    /// The server refused them.
    Refused,
    /// The server did not answer.
    Unreachable,
    /// There was no login: the reason says why.
    #[default]
    NotTried,
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

    /// `CheckSecret` takes this.
    CheckSecretRequest {
        required { secret_id: String, }
    }

    /// `CheckSecret` answers this.
    CheckSecretResponse {
        required {
            #[serde(rename = "ARN")] arn: String,
            name: String,
            drift: Drift,
            /// The versions that were looked at, in the order in which they were tried. Once AWSCURRENT logs in, no other is tried.
            versions: Vec<CheckedVersion>,
        }
    }

    /// A version, and whether it logs in.
    #[derive(Clone)]
    CheckedVersion {
        required { version_id: String, version_stages: Vec<String>, login: LoginOutcome, }
        optional { username: String, reason: String, }
    }

    /// `ListRotations` takes this.
    ListRotationsRequest {
        required { secret_id: String, }
        optional { max_results: i64, next_token: String, }
    }

    /// `ListRotations` answers this.
    ListRotationsResponse {
        required {
            #[serde(rename = "ARN")] arn: String,
            name: String,
            /// The server's time.
            now: EpochSeconds,
            rotations: Vec<PastRotation>,
        }
        optional { next_token: String, }
    }

    /// A rotation of a secret's: one that has ended, or the one that runs.
    #[derive(Clone)]
    PastRotation {
        required {
            version_id: String,
            status: RotationStatus,
            requested_date: EpochSeconds,
            #[serde(rename = "FunctionARN")] function_arn: String,
            function_digest: String,
            /// The steps that ended well.
            steps: Vec<StepRun>,
            log: Vec<LogLine>,
            /// Failed tries of the step that came last.
            failed_attempts: u32,
        }
        optional {
            /// Its number among the secret's, from 1; none until it has ended.
            number: u64,
            /// The step that runs, or at which it was given up.
            step: String,
            finished_date: EpochSeconds,
            failure: Failure,
            /// It was testSecret alone, to try the configuration.
            trial: bool,
            /// How long AWSCURRENT named a password that the database no longer had.
            gap_microseconds: u64,
        }
    }

    /// `PlanRotations` takes this.
    PlanRotationsRequest {
        optional {
            /// How many days to look ahead.
            days: i64,
            /// Secrets that have a schedule, most, of one answer; fewer does not mean that there are no more.
            max_results: i64,
            next_token: String,
        }
    }

    /// `PlanRotations` answers this.
    PlanRotationsResponse {
        required {
            /// The server's time.
            now: EpochSeconds,
            /// How far it looked.
            until: EpochSeconds,
            /// By name.
            secrets: Vec<PlannedSecret>,
        }
        optional { next_token: String, }
    }

    /// A secret that has a schedule.
    #[derive(Clone)]
    PlannedSecret {
        required {
            #[serde(rename = "ARN")] arn: String,
            name: String,
            /// Whether the schedule rotates it.
            rotation_enabled: bool,
            /// Its first rotations to come. What a person does meanwhile changes them.
            rotations: Vec<PlannedRotation>,
            warnings: Vec<PlanWarning>,
        }
        optional {
            #[serde(rename = "FunctionARN")] function_arn: String,
            /// The group whose members do not rotate together.
            group: String,
        }
    }

    /// A rotation to come.
    #[derive(Clone, PartialEq, Eq)]
    PlannedRotation {
        required {
            /// When it begins.
            date: EpochSeconds,
            /// From when it may begin.
            window_opens: EpochSeconds,
            /// From when it may not begin any more.
            window_closes: EpochSeconds,
        }
        optional {
            /// The window is no window of the rule's: it makes up for one that was missed.
            made_up: bool,
            /// It is at the window's last moment, and not where its group wants it.
            clipped: bool,
        }
    }

    /// What a person should know about a secret's rotations to come.
    #[derive(Clone, PartialEq, Eq)]
    PlanWarning {
        required {
            /// A word for programs.
            code: String,
            message: String,
        }
    }

    /// `ListEvents` takes this.
    ListEventsRequest {
        optional {
            /// The number after which to begin; from the oldest that is kept when there is none.
            after: i64,
            max_results: i64,
            /// How long to wait when there is nothing.
            wait_seconds: i64,
            /// Only events of these types.
            types: Vec<String>,
            /// Only events of this secret, by its name or ARN.
            secret_id: String,
        }
    }

    /// `ListEvents` answers this.
    ListEventsResponse {
        required {
            events: Vec<Event>,
            /// The number after which to go on: there may be events before it that were not asked for, or not to be seen.
            last_sequence: u64,
        }
        optional {
            /// The number up to which events were forgotten, when some of those that were asked for are among them.
            forgotten_through: u64,
        }
    }

    /// Something that happened to a secret.
    #[derive(Clone, PartialEq, Eq)]
    Event {
        required {
            /// Its number. They only go up, and one may be missing.
            sequence: u64,
            event_id: String,
            /// CloudTrail's name for it, where it has one.
            r#type: String,
            time: EpochSeconds,
            #[serde(rename = "SecretARN")] secret_arn: String,
            secret_name: String,
            region: String,
        }
        optional {
            /// The version, and so the rotation, that it is about.
            version_id: String,
            /// The rotation's step.
            step: String,
            reason: String,
            /// Of a failure: whether the host tries again by itself.
            retried: bool,
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

impl Request for CheckSecretRequest {
    type Response = CheckSecretResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::CheckSecret);
    const MODEL: &'static Structure = &Structure {
        name: "CheckSecretRequest",
        members: &[Member::new(
            "SecretId",
            Kind::Text(Text::of(Length::within(1, limits::SECRET_ID_CHARS_MAX))),
        )
        .required()],
    };
}

impl Request for ListRotationsRequest {
    type Response = ListRotationsResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::ListRotations);
    const MODEL: &'static Structure = &Structure {
        name: "ListRotationsRequest",
        members: &[
            Member::new("SecretId", Kind::Text(Text::of(Length::within(1, limits::SECRET_ID_CHARS_MAX))))
                .required(),
            Member::new("MaxResults", within(1, limits::PAGE_ENTRIES_MAX)),
            Member::new("NextToken", Kind::Text(Text::of(Length::within(1, limits::NEXT_TOKEN_CHARS_MAX)))),
        ],
    };
}

impl Request for PlanRotationsRequest {
    type Response = PlanRotationsResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::PlanRotations);
    const MODEL: &'static Structure = &Structure {
        name: "PlanRotationsRequest",
        members: &[
            Member::new("Days", within(1, limits::PLAN_DAYS_MAX)),
            Member::new("MaxResults", within(1, limits::PAGE_ENTRIES_MAX)),
            Member::new("NextToken", Kind::Text(Text::of(Length::within(1, limits::NEXT_TOKEN_CHARS_MAX)))),
        ],
    };
}

impl Request for ListEventsRequest {
    type Response = ListEventsResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::ListEvents);
    const MODEL: &'static Structure = &Structure {
        name: "ListEventsRequest",
        members: &[
            Member::new("After", Kind::Integer(Integer { long: true, min: Some(0), max: None })),
            Member::new("MaxResults", within(1, limits::EVENTS_PAGE_MAX)),
            Member::new("WaitSeconds", within(0, limits::EVENTS_WAIT_SECONDS_MAX)),
            Member::new("Types", Kind::List(TYPES)),
            Member::new("SecretId", Kind::Text(Text::of(Length::within(1, limits::SECRET_ID_CHARS_MAX)))),
        ],
    };
}

const TYPES: &List = &List {
    element: Kind::Text(Text::of(Length::within(1, limits::EVENT_TYPE_CHARS_MAX))),
    length: Length::within(1, limits::EVENT_TYPES_MAX),
};

const fn within(least: u32, most: u32) -> Kind {
    Kind::Integer(Integer { long: false, min: Some(least as i64), max: Some(most as i64) })
}
