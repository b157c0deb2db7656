//! The query protocol, which IAM and STS speak: a form in, XML out.
//!
//! [`Form`] is what was asked, with readers that refuse what the service's model refuses; an operation answers with [`Node`]s,
//! which [`answer`] turns into the text that AWS would send, and an error becomes [`refusal`].

mod form;
pub mod rule;
mod wire;
mod xml;

pub use self::form::Form;
pub use self::wire::{Wire, wire};
pub use self::xml::{Node, answer, encoded, flag, group, list, maybe, number, refusal, text};

/// The `Content-Type` of requests.
pub const FORM_TYPE: &str = "application/x-www-form-urlencoded";
/// The `Content-Type` of answers.
pub const ANSWER_TYPE: &str = "text/xml";
/// The parameter that names the operation.
pub const ACTION: &str = "Action";

/// Declares a query service's operations: an enum with names and actions, all from one spelling.
macro_rules! query_operations {
    ($service:literal, $($(#[$doc:meta])* $name:ident;)*) => {
        /// The operations that are served.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The operation that `Action` names.
            #[must_use]
            pub fn from_action(action: &str) -> Option<Self> {
                match action {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The operation's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The action of a policy that allows it.
            #[must_use]
            pub const fn action(self) -> &'static str {
                match self { $(Self::$name => concat!($service, ":", stringify!($name)),)* }
            }
        }
    };
}
pub(crate) use query_operations;
