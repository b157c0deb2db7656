//! Lambda's REST: method, path, query and body.

use pawl_api::error::ErrorCode;
use pawl_api::lambda::shapes::{
    AddPermissionRequest, CreateAliasRequest, CreateFunctionRequest, PublishVersionRequest,
    PutFunctionConcurrencyRequest, TagResourceRequest, UpdateAliasRequest, UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
};
use pawl_api::lambda::{Operation, Route, Shape, decode};

/// The first line is method and target (`GET /2015-03-31/functions/f?Qualifier=1`), the rest the body. A path that names an
/// operation names it again when it is written from what was read of it, and nothing in a query changes what the path says; a body
/// is refused by its caller's fault, or becomes its operation's shape.
pub fn check_lambda(data: &[u8]) -> bool {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (first, rest) = data.split_at(end);
    let body = rest.get(1..).unwrap_or_default();
    let Some((method, target)) = std::str::from_utf8(first).ok().and_then(|line| line.split_once(' ')) else {
        return false;
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let _ = Route::is_for(path);
    match Route::find(method, path, query) {
        Ok(route) => {
            check_route(&route, method, path, query);
            check_body(route.operation, body)
        }
        Err(error) => {
            assert!((400..500).contains(&error.code.status()), "{error}");
            assert!(!error.message.is_empty());
            false
        }
    }
}

fn check_route(route: &Route, method: &str, path: &str, query: &str) {
    let (wanted, template) = route.operation.route();
    assert_eq!(wanted, method);
    let plain = |segment: &str| !matches!(segment, "" | "." | "..");
    assert!(path.trim_start_matches('/').trim_end_matches('/').split('/').all(plain), "{path}");
    let mut written = String::new();
    for segment in template.split('/').skip(1) {
        written.push('/');
        match segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}')) {
            Some(name) => {
                let value = route.parameters.one(name).expect("the path says a member once");
                let value = value.expect("what is in the path was read");
                value.bytes().for_each(|byte| written.push_str(&format!("%{byte:02X}")));
            }
            None => written.push_str(segment),
        }
    }
    let again = Route::find(method, &written, query);
    assert_eq!(again.as_ref(), Ok(route), "{written}?{query}");
}

fn check_body(operation: Operation, body: &[u8]) -> bool {
    match operation {
        Operation::AddPermission => check_shape::<AddPermissionRequest>(body),
        Operation::CreateAlias => check_shape::<CreateAliasRequest>(body),
        Operation::CreateFunction => check_shape::<CreateFunctionRequest>(body),
        Operation::PublishVersion => check_shape::<PublishVersionRequest>(body),
        Operation::PutFunctionConcurrency => check_shape::<PutFunctionConcurrencyRequest>(body),
        Operation::TagResource => check_shape::<TagResourceRequest>(body),
        Operation::UpdateAlias => check_shape::<UpdateAliasRequest>(body),
        Operation::UpdateFunctionCode => check_shape::<UpdateFunctionCodeRequest>(body),
        Operation::UpdateFunctionConfiguration => check_shape::<UpdateFunctionConfigurationRequest>(body),
        // Theirs is in path and query; Invoke's is an event.
        _ => true,
    }
}

fn check_shape<S: Shape>(body: &[u8]) -> bool {
    match decode::<S>(body) {
        Ok(_) => true,
        Err(error) => {
            let callers =
                [ErrorCode::InvalidRequestContentException, ErrorCode::InvalidParameterValueException];
            assert!(callers.contains(&error.code), "{error}");
            assert!(!error.message.is_empty());
            false
        }
    }
}
