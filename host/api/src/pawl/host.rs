//! The host itself: how it is, and its development clock.

use super::Operation;
use crate::model::{Integer, Kind, Member, Structure};
use crate::shape::{Request, shapes};
use crate::time::EpochSeconds;

shapes! {
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
            /// The certificate of its port; none where it speaks plain HTTP.
            certificate: CertificateView,
        }
    }

    /// A server's certificate.
    CertificateView {
        required {
            subject: String,
            begins_at: EpochSeconds,
            ends_at: EpochSeconds,
        }
        optional {
            /// Why what its files hold now would not be served.
            problem: String,
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
            /// How the rotations stand.
            rotations: RotationStatesView,
        }
    }

    /// How many secrets' rotations stand how, in the whole store, and some of those that somebody should look at.
    RotationStatesView {
        required {
            /// On their way.
            running: u64,
            /// Waiting for the next try after one that failed.
            waiting: u64,
            /// Given up: a person must act.
            failed: u64,
            /// Given up after the database took the new password.
            stranded: u64,
            waiting_secrets: Vec<String>,
            failed_secrets: Vec<String>,
            stranded_secrets: Vec<String>,
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
