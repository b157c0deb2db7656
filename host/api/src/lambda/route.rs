//! From method, path and query to an operation and what it takes from them.

use super::Operation;
use crate::error::{ApiError, ErrorCode};

/// An operation, and what the request's path and query say to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// It.
    pub operation: Operation,
    /// What stands in the path and in the query.
    pub parameters: Parameters,
}

/// What stands in a request's path and query, decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The value of a member; none when it is not there.
    ///
    /// # Errors
    /// `InvalidParameterValueException` when it is there twice: which of the two was meant nobody knows.
    pub fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() {
            let message = format!("the request says {name} more than once");
            return Err(ApiError::new(ErrorCode::InvalidParameterValueException, message));
        }
        Ok(first)
    }

    /// All of them, in their order.
    #[must_use]
    pub fn fields(&self) -> &[(String, String)] {
        &self.0
    }

    /// Every value of a member, in their order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(held, _)| held == name).map(|(_, value)| value.as_str())
    }
}

/// What a path begins with whose service answers no other request than Lambda's: `/2015-03-31/`.
const DATE: &str = "dddd-dd-dd";

impl Route {
    /// Whether a path is one of Lambda's: they begin with the date of an API.
    #[must_use]
    pub fn is_for(path: &str) -> bool {
        let date = path.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default();
        date.len() == DATE.len()
            && date.bytes().zip(DATE.bytes()).all(|(found, wanted)| match wanted {
                b'd' => found.is_ascii_digit(),
                wanted => found == wanted,
            })
    }

    /// The operation that a request asks for.
    ///
    /// A signature covers a path without its `.`, `..` and empty segments, so that another path with the same signature could be
    /// written by whoever forwards the request. Only the path that is its own plain form is served.
    ///
    /// # Errors
    /// `UnknownOperationException`, and in words what is served instead where AWS has an operation there.
    pub fn find(method: &str, path: &str, query: &str) -> Result<Self, ApiError> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(unknown());
        }
        let found = Operation::ALL.iter().find_map(|operation| {
            let (wanted, template) = operation.route();
            (wanted == method).then(|| fill(template, &segments)).flatten().map(|values| (*operation, values))
        });
        let Some((operation, values)) = found else {
            return Err(unserved(&segments).unwrap_or_else(unknown));
        };
        let mut parameters = Vec::new();
        for (name, value) in values {
            parameters.push((name.to_owned(), decoded(value).ok_or_else(not_text)?));
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Clients send spaces as %20; a plus sign is one.
            let (name, value) = (decoded(name).ok_or_else(not_text)?, decoded(value).ok_or_else(not_text)?);
            // The path has the word: what it names is what was authorised.
            if !parameters.iter().any(|(held, _)| *held == name && template_names(operation, held)) {
                parameters.push((name, value));
            }
        }
        Ok(Self { operation, parameters: Parameters(parameters) })
    }
}

fn template_names(operation: Operation, name: &str) -> bool {
    placeholders(operation.route().1).any(|placeholder| placeholder == name)
}

fn placeholders(template: &'static str) -> impl Iterator<Item = &'static str> {
    template.split('/').filter_map(placeholder)
}

fn placeholder(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// What stands in the places of a template's members, if the segments are like it.
fn fill<'a>(template: &'static str, segments: &[&'a str]) -> Option<Vec<(&'static str, &'a str)>> {
    let mut found = Vec::new();
    let mut given = segments.iter();
    for wanted in template.split('/').skip(1) {
        let segment = given.next()?;
        match placeholder(wanted) {
            Some(name) => found.push((name, *segment)),
            None if wanted == *segment => {}
            None => return None,
        }
    }
    given.next().is_none().then_some(found)
}

/// Percent-decoded text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok().filter(|two| !two.starts_with('+'))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn not_text() -> ApiError {
    ApiError::new(ErrorCode::ValidationException, "The request's path or query is not percent-encoded text.")
}

fn unknown() -> ApiError {
    ApiError::new(ErrorCode::UnknownOperationException, "The request names no operation of this server.")
}

/// What AWS has and Pawl has not, by a word of its path, and what there is instead.
const UNSERVED: &[(&str, &str)] = &[
    (
        "event-source-mappings",
        "Pawl has no event source mappings: its functions are run by rotations and by Invoke",
    ),
    ("layers", "Pawl has no layers: a function is one component, with everything in it"),
    ("layers-by-arn", "Pawl has no layers: a function is one component, with everything in it"),
    ("url", "Pawl has no function URLs: its functions are run by rotations and by Invoke"),
    ("urls", "Pawl has no function URLs: its functions are run by rotations and by Invoke"),
    (
        "event-invoke-config",
        "Pawl has no asynchronous invocation: rotations repeat their steps by themselves",
    ),
    ("invoke-async", "Pawl has no asynchronous invocation: invoke with the type RequestResponse"),
    ("response-streaming-invocations", "Pawl streams no answers: invoke with the type RequestResponse"),
    (
        "provisioned-concurrency",
        "Pawl has no provisioned concurrency: a step of a cached component starts in microseconds",
    ),
    (
        "code-signing-configs",
        "Pawl has no code signing: an operator approves what code may reach (`pawl function approve`)",
    ),
    (
        "code-signing-config",
        "Pawl has no code signing: an operator approves what code may reach (`pawl function approve`)",
    ),
    ("runtime-management-config", "Pawl's runtime is renewed with the host, for all functions together"),
    ("recursion-config", "no function of Pawl's can invoke another one"),
    ("capacity-providers", "Pawl has no capacity providers: functions run on the hosts that serve the store"),
    (
        "function-scaling-config",
        "Pawl has no capacity providers: functions run on the hosts that serve the store",
    ),
    ("durable-executions", "Pawl has no durable executions: rotations are durable by themselves"),
    ("durable-execution-callbacks", "Pawl has no durable executions: rotations are durable by themselves"),
];

fn unserved(segments: &[&str]) -> Option<ApiError> {
    // The last word of the path that says something: names of functions may be anything.
    let words = segments.iter().skip(1).enumerate().filter(|(place, _)| matches!(place, 0 | 2));
    let message = words.rev().find_map(|(_, word)| UNSERVED.iter().find(|(of, _)| of == word))?.1;
    Some(ApiError::new(ErrorCode::InvalidParameterValueException, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str, query: &str) -> Route {
        Route::find(method, path, query).unwrap_or_else(|error| panic!("{method} {path}?{query}: {error}"))
    }

    #[test]
    fn every_operation_is_found_by_its_own_route_with_and_without_a_slash() {
        for operation in Operation::ALL {
            let (method, template) = operation.route();
            let path = template.replace(['{', '}'], "");
            for path in [path.clone(), format!("{path}/")] {
                let route = found(method, &path, "");
                assert_eq!(route.operation, *operation);
                for name in placeholders(template) {
                    assert_eq!(route.parameters.one(name), Ok(Some(name)));
                }
                assert!(Route::is_for(&path));
            }
            assert!(operation.action().starts_with("lambda:"));
        }
    }

    #[test]
    fn arns_and_qualifiers_come_percent_encoded() {
        let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af";
        let route = found("GET", &format!("/2015-03-31/functions/{arn}"), "Qualifier=%24LATEST&x");
        assert_eq!(
            route.parameters.one("FunctionName"),
            Ok(Some("arn:aws:lambda:us-east-1:000000000000:function:f"))
        );
        assert_eq!(route.parameters.one("Qualifier"), Ok(Some("$LATEST")));
        assert_eq!(route.parameters.one("x"), Ok(Some("")));
        assert_eq!(route.parameters.one("Marker"), Ok(None));
    }

    #[test]
    fn the_query_does_not_overrule_the_path_and_a_member_is_said_once() {
        let route = found("GET", "/2015-03-31/functions/a", "FunctionName=b&Qualifier=1&Qualifier=2");
        assert_eq!(route.parameters.one("FunctionName"), Ok(Some("a")));
        assert!(route.parameters.one("Qualifier").is_err());
        let route = found("DELETE", "/2017-03-31/tags/a", "tagKeys=x&tagKeys=y%20z");
        assert_eq!(route.parameters.all("tagKeys").collect::<Vec<_>>(), ["x", "y z"]);
    }

    #[test]
    fn a_path_that_is_not_its_own_plain_form_names_nothing() {
        for path in [
            "/2015-03-31/functions/a/../b",
            "/2015-03-31/./functions/a",
            "/2015-03-31//functions/a",
            "//2015-03-31/functions/a",
            "/2015-03-31/functions/a//",
            "/2015-03-31/functions//",
            "/2015-03-31",
            "/2015-03-31/functions/a/code/b",
            "/2015-03-31/%66unctions",
        ] {
            let refused = Route::find("GET", path, "").unwrap_err();
            assert_eq!(refused.code, ErrorCode::UnknownOperationException, "{path}");
        }
        // What is in escapes is a value, and for the value's own rules to refuse.
        let route = found("GET", "/2015-03-31/functions/%2e%2e%2Fx", "");
        assert_eq!(route.parameters.one("FunctionName"), Ok(Some("../x")));
        for path in ["/2015-03-31/functions/%zz", "/2015-03-31/functions/%4", "/2015-03-31/functions/%ff"] {
            assert_eq!(
                Route::find("GET", path, "").unwrap_err().code,
                ErrorCode::ValidationException,
                "{path}"
            );
        }
    }

    #[test]
    fn what_aws_has_and_pawl_has_not_is_said() {
        for (method, path, word) in [
            ("POST", "/2015-03-31/event-source-mappings", "no event source mappings"),
            ("POST", "/2021-10-31/functions/f/url", "no function URLs"),
            ("PUT", "/2019-09-25/functions/f/event-invoke-config", "asynchronous"),
            ("POST", "/2018-10-31/layers/l/versions", "no layers"),
            ("PUT", "/2020-06-30/functions/f/code-signing-config", "approves"),
        ] {
            let refused = Route::find(method, path, "").unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidParameterValueException, "{path}");
            assert!(refused.message.contains(word), "{path}: {}", refused.message);
        }
        assert_eq!(
            Route::find("PATCH", "/2015-03-31/functions/url", "").unwrap_err().code,
            ErrorCode::UnknownOperationException
        );
    }

    #[test]
    fn only_dates_begin_a_path_of_lambdas() {
        for path in
            ["/", "/metrics", "/2015-3-31/functions", "/2015-03-31x/functions", "/2015_03_31/functions", ""]
        {
            assert!(!Route::is_for(path), "{path}");
        }
    }
}
