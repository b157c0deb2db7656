//! AWS Lambda, as far as rotation functions need it: operations by method and path, their shapes, and the form of its errors.
//!
//! Lambda speaks REST: what an operation takes is in the path, in the query and in a JSON body. [`Route::find`] tells the
//! operation and what stands in path and query; [`decode`] reads the body.

mod body;
mod refusal;
mod route;
pub mod shapes;

pub use self::body::{Package, Rest, Shape, admit, decode};
pub use self::refusal::{message_member, status, to_body};
pub use self::route::{Parameters, Route};

/// The service's name in the scope of a request's signature.
pub const SIGNING_NAME: &str = "lambda";

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $method:literal $path:literal => $status:literal;)*) => {
        /// The operations that are served.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The operation's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The action of a policy that allows it: `lambda:CreateFunction`.
            #[must_use]
            #[expect(unreachable_patterns, reason = "the arm of every operation but Invoke")]
            pub const fn action(self) -> &'static str {
                match self {
                    // The only one whose action has another name.
                    Self::Invoke => "lambda:InvokeFunction",
                    $(Self::$name => concat!("lambda:", stringify!($name)),)*
                }
            }

            /// Method and path, as AWS's model has them, a trailing slash aside: `{Name}` stands for a member.
            #[must_use]
            pub const fn route(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($method, $path),)* }
            }

            /// The HTTP status of an answer that is no error.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

operations! {
    /// Lets a service or an account invoke a function, a version or an alias.
    AddPermission = "POST" "/2015-03-31/functions/{FunctionName}/policy" => 201;
    /// Names a version.
    CreateAlias = "POST" "/2015-03-31/functions/{FunctionName}/aliases" => 201;
    /// Uploads a new function.
    CreateFunction = "POST" "/2015-03-31/functions" => 201;
    /// Takes an alias away.
    DeleteAlias = "DELETE" "/2015-03-31/functions/{FunctionName}/aliases/{Name}" => 204;
    /// Takes away a function, or one version of it.
    DeleteFunction = "DELETE" "/2015-03-31/functions/{FunctionName}" => 204;
    /// Lets a function run as often at once as the host can.
    DeleteFunctionConcurrency = "DELETE" "/2017-10-31/functions/{FunctionName}/concurrency" => 204;
    /// What the account may have and has.
    GetAccountSettings = "GET" "/2016-08-19/account-settings" => 200;
    /// One alias.
    GetAlias = "GET" "/2015-03-31/functions/{FunctionName}/aliases/{Name}" => 200;
    /// A function with its tags.
    GetFunction = "GET" "/2015-03-31/functions/{FunctionName}" => 200;
    /// Whose signatures its code needs: nobody's.
    GetFunctionCodeSigningConfig = "GET" "/2020-06-30/functions/{FunctionName}/code-signing-config" => 200;
    /// How many of its invocations may run at once.
    GetFunctionConcurrency = "GET" "/2019-09-30/functions/{FunctionName}/concurrency" => 200;
    /// How a function or a version is set up.
    GetFunctionConfiguration = "GET" "/2015-03-31/functions/{FunctionName}/configuration" => 200;
    /// What becomes of a function that invokes itself: none here can.
    GetFunctionRecursionConfig = "GET" "/2024-08-31/functions/{FunctionName}/recursion-config" => 200;
    /// Who may invoke it.
    GetPolicy = "GET" "/2015-03-31/functions/{FunctionName}/policy" => 200;
    /// When its runtime is renewed: with the host.
    GetRuntimeManagementConfig = "GET" "/2021-07-20/functions/{FunctionName}/runtime-management-config" => 200;
    /// Runs it.
    Invoke = "POST" "/2015-03-31/functions/{FunctionName}/invocations" => 200;
    /// The aliases of a function.
    ListAliases = "GET" "/2015-03-31/functions/{FunctionName}/aliases" => 200;
    /// The functions of a region.
    ListFunctions = "GET" "/2015-03-31/functions" => 200;
    /// The tags of a function.
    ListTags = "GET" "/2017-03-31/tags/{Resource}" => 200;
    /// The versions of a function.
    ListVersionsByFunction = "GET" "/2015-03-31/functions/{FunctionName}/versions" => 200;
    /// Keeps `$LATEST` as it is under a number.
    PublishVersion = "POST" "/2015-03-31/functions/{FunctionName}/versions" => 201;
    /// Says how many of its invocations may run at once.
    PutFunctionConcurrency = "PUT" "/2017-10-31/functions/{FunctionName}/concurrency" => 200;
    /// Takes a permission back.
    RemovePermission = "DELETE" "/2015-03-31/functions/{FunctionName}/policy/{StatementId}" => 204;
    /// Adds tags.
    TagResource = "POST" "/2017-03-31/tags/{Resource}" => 204;
    /// Takes tags away.
    UntagResource = "DELETE" "/2017-03-31/tags/{Resource}" => 204;
    /// Moves an alias.
    UpdateAlias = "PUT" "/2015-03-31/functions/{FunctionName}/aliases/{Name}" => 200;
    /// Uploads other code.
    UpdateFunctionCode = "PUT" "/2015-03-31/functions/{FunctionName}/code" => 200;
    /// Sets it up in another way.
    UpdateFunctionConfiguration = "PUT" "/2015-03-31/functions/{FunctionName}/configuration" => 200;
}

impl Operation {
    /// Whether its body may hold code.
    #[must_use]
    pub const fn takes_code(self) -> bool {
        matches!(self, Self::CreateFunction | Self::UpdateFunctionCode)
    }
}
