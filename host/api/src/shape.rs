//! How a body becomes a shape.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::model::{self, Admitted, Structure};

/// A shape that an operation takes.
pub trait Request: Serialize + DeserializeOwned {
    /// The shape that the operation answers with.
    type Response: Serialize + DeserializeOwned;

    /// The operation.
    const TARGET: crate::Target;

    /// What the service's model says of the shape.
    const MODEL: &'static Structure;

    /// Whether the members go together, as far as the service asks before the operation begins.
    ///
    /// # Errors
    /// What the operation would answer.
    fn check(&self) -> Result<(), ApiError> {
        Ok(())
    }
}

/// The shape that a request's body holds, checked against the model. Members that the model does not have are ignored.
///
/// # Errors
/// `SerializationException` for what is not the JSON that the operation takes, `ValidationException` for members that are
/// missing or outside of the model. No message quotes what may be a secret.
pub fn decode<R: Request>(body: &[u8]) -> Result<R, ApiError> {
    // SDKs send `{}` when there is nothing to say; some clients send nothing.
    let body = if body.is_empty() { b"{}" } else { body };
    let read = match model::admit(R::MODEL, body)? {
        Admitted::AsItIs => serde_json::from_slice(body),
        Admitted::Rewritten(body) => serde_json::from_slice(&body),
    };
    let request: R = read.map_err(|error| model::not_json(&error))?;
    request.check()?;
    Ok(request)
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
