//! How a body becomes a shape.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, ErrorCode};

/// A shape that an operation takes.
pub trait Request: Serialize + DeserializeOwned {
    /// The shape that the operation answers with.
    type Response: Serialize + DeserializeOwned;

    /// The operation.
    const TARGET: crate::Target;

    /// Whether every member is within the lengths and ranges of the service's model.
    ///
    /// # Errors
    /// `ValidationException`, which names each member that is not.
    fn check(&self) -> Result<(), ApiError> {
        Ok(())
    }
}

/// The shape that a request's body holds, checked against the model. Members that the shape does not have are ignored.
///
/// # Errors
/// `SerializationException` for what is not the JSON that the operation takes, `ValidationException` for members that are
/// missing or outside of the model. No message quotes the body, which may hold a secret.
pub fn decode<R: Request>(body: &[u8]) -> Result<R, ApiError> {
    // SDKs send `{}` when there is nothing to say; some clients send nothing.
    let body = if body.is_empty() { b"{}" } else { body };
    // Serde would also take a list of the members' values in their order.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(ApiError::new(
            ErrorCode::SerializationException,
            "The request's body must be a JSON object.",
        ));
    }
    let request: R = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    request.check()?;
    Ok(request)
}

fn unreadable(error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    if let Some((member, _)) = missing {
        return crate::secrets_manager::constraint::missing(member);
    }
    ApiError::new(
        ErrorCode::SerializationException,
        format!(
            "The request's body is not the JSON that this operation takes: see line {}, column {}.",
            error.line(),
            error.column()
        ),
    )
}

/// Declares shapes. Members are spelt in snake case here and in Pascal case on the wire; an optional member that is none is
/// absent there.
macro_rules! shapes {
    ($($(#[$meta:meta])* $name:ident {
        $(required { $($(#[$rmeta:meta])* $required:ident: $rtype:ty,)* })?
        $(optional { $($(#[$ometa:meta])* $optional:ident: $otype:ty,)* })?
    })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Default, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        pub struct $name {
            $($(
                #[doc = concat!("The member `", stringify!($required), "`, always there.")]
                $(#[$rmeta])*
                pub $required: $rtype,
            )*)?
            $($(
                #[doc = concat!("The member `", stringify!($optional), "`, if there is one.")]
                $(#[$ometa])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $optional: Option<$otype>,
            )*)?
        }
    )*};
}
pub(crate) use shapes;
