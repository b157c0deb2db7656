//! What functions write.

use pawl_core::limits;

use super::{Operation, within};
use crate::model::{Kind, Length, Member, Structure, Text};
use crate::shape::{Request, shapes};
use crate::time::EpochSeconds;

shapes! {
    /// `ListFunctionLogs` takes this.
    ListFunctionLogsRequest {
        required {
            /// The function, by name or ARN. A version or alias in it is passed over: the lines say which version wrote them.
            function_name: String,
        }
        optional {
            /// The last answer's `After`; without it, from the oldest line that is kept.
            after: String,
            /// Lines of one answer, most.
            limit: i64,
            /// How long to wait when there is nothing.
            wait_seconds: i64,
        }
    }

    /// `ListFunctionLogs` answers this.
    ListFunctionLogsResponse {
        required {
            /// The function's ARN, without a version.
            #[serde(rename = "FunctionARN")] function_arn: String,
            lines: Vec<FunctionLogLine>,
            /// Where to go on.
            after: String,
        }
        optional {
            /// Whether there were lines after the token that are not kept any more, or the host was started anew.
            missed: bool,
        }
    }

    /// A line that a function has written, or the host about it.
    #[derive(Clone, PartialEq, Eq)]
    FunctionLogLine {
        required {
            time: EpochSeconds,
            /// The version: `$LATEST`, or its number.
            version: String,
            /// The invocation: the rotation's token, or the id of the Invoke request.
            request_id: String,
            /// The step, as AWS spells it.
            step: String,
            /// `debug`, `info`, `warn`, or `report` for what the host says at the end.
            level: String,
            message: String,
        }
    }
}

impl Request for ListFunctionLogsRequest {
    type Response = ListFunctionLogsResponse;

    const TARGET: crate::Target = crate::Target::Pawl(Operation::ListFunctionLogs);
    const MODEL: &'static Structure = &Structure {
        name: "ListFunctionLogsRequest",
        members: &[
            Member::new(
                "FunctionName",
                Kind::Text(Text::of(Length::within(1, limits::FUNCTION_REFERENCE_CHARS_MAX))),
            )
            .required(),
            Member::new("After", Kind::Text(Text::of(Length::within(1, limits::NEXT_TOKEN_CHARS_MAX)))),
            Member::new("Limit", within(1, limits::FUNCTION_LOG_PAGE_MAX)),
            Member::new("WaitSeconds", within(0, limits::EVENTS_WAIT_SECONDS_MAX)),
        ],
    };
}
