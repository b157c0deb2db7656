//! The few regular expressions of the model, each beside the predicate that decides it.

/// A regular expression that all of a text must match.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// The expression, as AWS's model has it.
    pub text: &'static str,
    /// Whether all of a text matches it.
    pub matches: fn(&str) -> bool,
}

impl Pattern {
    /// The value of a filter.
    pub const FILTER_VALUE: Self =
        Self { text: r"^\!?[a-zA-Z0-9 :_@\/\+\=\.\-\!]*$", matches: |text| all(text, b" :_@/+=.-!") };
    /// A region's name.
    pub const REGION: Self = Self { text: r"^([a-z]+-)+\d+$", matches: region };
    /// The name of a resource policy.
    pub const POLICY_NAME: Self =
        Self { text: r"[0-9A-Za-z\-\_]+", matches: |text| !text.is_empty() && all(text, b"-_") };
    /// A token that a rotation function hands on.
    pub const ROTATION_TOKEN: Self =
        Self { text: r"^[a-zA-Z0-9\-]+$", matches: |text| !text.is_empty() && all(text, b"-") };
    /// The length of a rotation window.
    pub const DURATION: Self = Self { text: "[0-9]+h", matches: duration };
    /// A schedule expression.
    pub const SCHEDULE: Self = Self {
        text: r"[0-9A-Za-z\(\)#\?\*\-\/, ]+",
        matches: |text| !text.is_empty() && all(text, b"()#?*-/, "),
    };
    /// An alias of a key.
    pub const KEY_ALIAS: Self =
        Self { text: "^[a-zA-Z0-9:/_-]+$", matches: |text| !text.is_empty() && all(text, b":/_-") };
    /// The id of a key outside.
    pub const EXTERNAL_KEY_ID: Self =
        Self { text: "^[a-zA-Z0-9-_.]+$", matches: |text| !text.is_empty() && all(text, b"-_.") };
    /// A page's marker.
    pub const MARKER: Self = Self { text: r"[\u0020-\u00FF]*", matches: |text| text.chars().all(latin) };
    /// The text of a key's policy.
    pub const KEY_POLICY: Self = Self {
        text: r"[\u0009\u000A\u000D\u0020-\u00FF]+",
        matches: |text| !text.is_empty() && text.chars().all(|c| latin(c) || matches!(c, '\t' | '\n' | '\r')),
    };
    /// A word.
    pub const WORD: Self = Self { text: r"[\w]+", matches: |text| !text.is_empty() && all(text, b"_") };
}

fn latin(c: char) -> bool {
    ('\u{20}'..='\u{ff}').contains(&c)
}

/// Whether there are only ASCII letters, digits, and `others`.
fn all(text: &str, others: &[u8]) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

fn region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && words.split('-').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn duration(text: &str) -> bool {
    text.strip_suffix('h')
        .is_some_and(|hours| !hours.is_empty() && hours.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_do_what_their_expressions_say() {
        for (pattern, right, wrong) in [
            (
                Pattern::FILTER_VALUE,
                &["", "!", "!a b", "a!b", "A:_@/+=.-!9"][..],
                &["a*", "é", "a\n", "#"][..],
            ),
            (
                Pattern::REGION,
                &["us-east-1", "us-gov-west-12", "a-0"],
                &[
                    "",
                    "us-east",
                    "-1",
                    "us--1",
                    "US-east-1",
                    "us-east-1a",
                    "us-east-",
                    "1",
                    "us-e2-1",
                    "us-east-1\n",
                ],
            ),
            (Pattern::POLICY_NAME, &["default", "A-_9"], &["", "a b", "a.b", "é"]),
            (Pattern::ROTATION_TOKEN, &["a-B-9"], &["", "a_b", "a b"]),
            (Pattern::DURATION, &["3h", "12h", "0h"], &["", "h", "3", "3m", "3h ", "-3h", "h3"]),
            (
                Pattern::SCHEDULE,
                &["rate(10 days)", "cron(0 16 ? * MON#2 */2,1-3)"],
                &["", "rate[1]", "a\n", "1.5"],
            ),
            (Pattern::KEY_ALIAS, &["alias/a_b-c", "a:b"], &["", "a b", "a.b", "é"]),
            (Pattern::EXTERNAL_KEY_ID, &["a-b_c.9"], &["", "a/b", "é"]),
            (Pattern::MARKER, &["", "a é\u{ff}"], &["\n", "\u{100}"]),
            (Pattern::KEY_POLICY, &["{}\r\n\té"], &["", "\u{0}", "\u{100}"]),
            (Pattern::WORD, &["default", "a_9"], &["", "a-b", "é"]),
        ] {
            for text in right {
                assert!((pattern.matches)(text), "{text:?} matches {}", pattern.text);
            }
            for text in wrong {
                assert!(!(pattern.matches)(text), "{text:?} does not match {}", pattern.text);
            }
        }
    }
}
