//! What an operator approves for functions.

use pawl_core::limits;

use super::Operation;
use crate::model::{Kind, Length, Member, Structure, Text};
use crate::shape::{Request, shapes};
use crate::time::EpochSeconds;

shapes! {
    /// `ApproveFunction` takes this.
    ApproveFunctionRequest {
        required {
            /// The function, by name or ARN, without a qualifier. It need not exist yet.
            function_name: String,
            /// The text of a manifest (`pawl.toml`): what stands under `[grants]` is approved, and nothing else any more. Empty
            /// text takes every approval back.
            grants: String,
        }
    }

    /// `DescribeFunctionGrants` takes this.
    DescribeFunctionGrantsRequest {
        required {
            /// The function, by name or ARN, without a qualifier. It need not exist yet.
            function_name: String,
        }
    }

    /// `ApproveFunction` and `DescribeFunctionGrants` answer this.
    FunctionGrantsResponse {
        required {
            function_name: String,
            #[serde(rename = "FunctionARN")] function_arn: String,
            /// What is approved, as the text of a manifest; empty when nothing is.
            approved: String,
            /// What each version asks, `$LATEST` first; none when there is no such function.
            versions: Vec<VersionGrants>,
        }
        optional {
            /// When it was approved.
            approved_date: EpochSeconds,
            /// Who approved it.
            approved_by: String,
        }
    }

    /// What a version of a function asks.
    #[derive(Clone, PartialEq, Eq)]
    VersionGrants {
        required {
            /// `$LATEST`, or its number.
            version: String,
            /// The digest of its component.
            digest: String,
            /// What its manifest asks, as the text of a manifest.
            asked: String,
            /// What of it is not approved, each in words: while there is any, it is not run.
            beyond: Vec<String>,
        }
    }
}

const FUNCTION_NAME: Member =
    Member::new("FunctionName", Kind::Text(Text::of(Length::within(1, limits::FUNCTION_ARN_CHARS_MAX))))
        .required();

impl Request for ApproveFunctionRequest {
    type Response = FunctionGrantsResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::ApproveFunction);
    const MODEL: &'static Structure = &Structure {
        name: "ApproveFunctionRequest",
        members: &[
            FUNCTION_NAME,
            Member::new("Grants", Kind::Text(Text::of(Length::to(limits::MANIFEST_BYTES_MAX)))).required(),
        ],
    };
}

impl Request for DescribeFunctionGrantsRequest {
    type Response = FunctionGrantsResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::DescribeFunctionGrants);
    const MODEL: &'static Structure =
        &Structure { name: "DescribeFunctionGrantsRequest", members: &[FUNCTION_NAME] };
}
