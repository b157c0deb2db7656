//! What stands inside of the strings of a case: names for what was answered before, values to be made, patterns to be met.
//!
//! In both: `{name}` is a value that was bound by `"name = <..>"`; `{region}`, `{other}` and `{account}` are there from the
//! start, `{n}` counts. `{"<json>": X}` is the text of the JSON value X.
//!
//! To be sent: `<token>` (a new one), `<ab*3>` (`ababab`), `<tamper name>` (the bound text with one character changed); in a
//! list, `{"<for 3>": X}` is X three times.
//!
//! To be met: `<any>`, `<text>`, `<version>`, `<arn NAME>`, `<arn NAME in REGION>`, `<suffix of name>` (of that ARN), `<date>`, `<now>`, `<in 30d>`,
//! `<end of day 30>`, `<today>` (midnight), `<after name>`, `<absent>`, `<maybe>`, `<contains TEXT>`, `<chars 32 a A 0 !>` (that many, of
//! exactly these classes; `_` is the space), `<chars 9 of a A>` (of these classes at most), `<length 32>`. Lists of strings are
//! sets.

use std::collections::BTreeMap;

use pawl_tests::aws;
use serde_json::{Map, Value};

use super::script::hours;

const DAY: f64 = 86_400.0;
/// How far a moment may be from the one that was expected.
const SLACK_SECONDS: f64 = 600.0;
/// Lists in which AWS promises no order.
const UNORDERED: [&str; 5] = ["Versions", "ReplicationStatus", "Errors", "SecretValues", "ValidationErrors"];

/// What a case knows so far.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) bound: BTreeMap<String, Value>,
    /// How far the server's clock is ahead, in seconds.
    pub(crate) ahead: u64,
}

fn named(text: &str) -> (Option<&str>, &str) {
    let is_name = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    match text.split_once(" = <") {
        Some((name, after)) if is_name(&name) => (Some(name), &text[text.len() - after.len() - 1..]),
        _ => (None, text),
    }
}

fn inside(text: &str) -> Option<&str> {
    text.strip_prefix('<')?.strip_suffix('>')
}

impl Known {
    pub(crate) fn new(region: &str, other: &str) -> Self {
        let mut known = Self { bound: BTreeMap::new(), ahead: 0 };
        for (name, value) in [("region", region), ("other", other), ("account", "000000000000")] {
            known.bind(name, &value.into());
        }
        known
    }

    pub(crate) fn bind(&mut self, name: &str, value: &Value) {
        self.bound.insert(name.to_owned(), value.clone());
    }

    fn text(&self, name: &str) -> String {
        match self.bound.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => panic!("nothing is bound to `{name}`"),
        }
    }

    /// The value that `{name}` alone stands for.
    fn whole_value(&self, text: &str) -> Option<&Value> {
        self.bound.get(text.strip_prefix('{')?.strip_suffix('}')?)
    }

    /// A text with the bound values in it.
    pub(crate) fn filled(&self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let name: String = after
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_')
                .collect();
            match after[name.len()..].strip_prefix('}') {
                Some(beyond) if !name.is_empty() => {
                    out.push_str(&self.text(&name));
                    rest = beyond;
                }
                _ => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out + rest
    }

    /// An input with everything made that it asks for.
    pub(crate) fn made(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let (name, text) = named(text);
                let made = Value::from(self.made_text(text));
                if let Some(name) = name {
                    self.bind(name, &made);
                }
                made
            }
            Value::Array(items) => {
                let mut made = Vec::new();
                for item in items {
                    match repetition(item) {
                        Some((count, each)) => {
                            for n in 0..count {
                                self.bind("n", &Value::from(n));
                                made.push(self.made(each));
                            }
                        }
                        None => made.push(self.made(item)),
                    }
                }
                Value::Array(made)
            }
            Value::Object(members) => match only(value) {
                Some(("<json>", inner)) => Value::from(self.made(inner).to_string()),
                _ => members.iter().map(|(key, value)| (self.filled(key), self.made(value))).collect(),
            },
            other => other.clone(),
        }
    }

    fn made_text(&self, text: &str) -> String {
        let Some(function) = inside(text) else { return self.filled(text) };
        if function == "token" {
            return aws::token();
        }
        if let Some(name) = function.strip_prefix("tamper ") {
            let text = self.text(name);
            let middle = text.len() / 2;
            let other = if text[middle..].starts_with('A') { "B" } else { "A" };
            return format!("{}{other}{}", &text[..middle], &text[middle + 1..]);
        }
        if let Some((what, count)) = function.rsplit_once('*')
            && let Ok(count) = count.parse()
        {
            return self.filled(what).repeat(count);
        }
        self.filled(text)
    }

    /// Whether an answer is what was expected; `whole` refuses members that were not.
    pub(crate) fn meets(&mut self, wanted: &Value, got: &Value, whole: bool) -> Result<(), String> {
        match (wanted, got) {
            (Value::String(wanted), _) => self.meets_text(wanted, got),
            (Value::Object(members), _) if only(wanted).is_some_and(|(key, _)| key == "<json>") => {
                let text = got.as_str().ok_or_else(|| format!("{got} is no text of JSON"))?;
                let inner = serde_json::from_str(text).map_err(|why| format!("{why} in {text}"))?;
                self.meets(&members["<json>"], &inner, whole)
            }
            (Value::Object(wanted), Value::Object(got)) => self.meets_members(wanted, got, whole),
            (Value::Array(wanted), Value::Array(got)) => {
                let (mut wanted, mut got) = (repeated(wanted), got.clone());
                if wanted.len() != got.len() {
                    return Err(format!("{} are wanted and {} came: {got:?}", wanted.len(), got.len()));
                }
                if wanted.iter().chain(&got).all(Value::is_string) {
                    wanted.iter_mut().for_each(|item| *item = self.filled(item.as_str().unwrap()).into());
                    wanted.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                    got.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
                }
                let mut pairs = wanted.iter().zip(&got).enumerate();
                pairs.try_for_each(|(index, (wanted, got))| {
                    self.meets(wanted, got, whole).map_err(|why| format!("[{index}]: {why}"))
                })
            }
            _ if wanted == got => Ok(()),
            _ => Err(format!("{wanted} is wanted, {got} came")),
        }
    }

    fn meets_members(
        &mut self,
        wanted: &Map<String, Value>,
        got: &Map<String, Value>,
        whole: bool,
    ) -> Result<(), String> {
        let mut expected = Vec::new();
        for (key, wanted) in wanted {
            let key = self.filled(key);
            match got.get(&key) {
                None if wanted == "<absent>" || wanted == "<maybe>" => {}
                None => return Err(format!("{key} is missing")),
                Some(got) if UNORDERED.contains(&&*key) => {
                    self.meets_set(wanted, got, whole).map_err(|why| format!("{key}: {why}"))?;
                }
                Some(got) => self.meets(wanted, got, whole).map_err(|why| format!("{key}: {why}"))?,
            }
            expected.push(key);
        }
        let unexpected = got.keys().find(|key| whole && !expected.contains(key));
        unexpected.map_or(Ok(()), |key| Err(format!("{key} was not to be there: {}", got[key])))
    }

    /// As [`Known::meets`] for lists whose order says nothing.
    fn meets_set(&mut self, wanted: &Value, got: &Value, whole: bool) -> Result<(), String> {
        let (Value::Array(wanted), Value::Array(items)) = (wanted, got) else {
            return self.meets(wanted, got, whole);
        };
        let mut left: Vec<&Value> = items.iter().collect();
        for wanted in &repeated(wanted) {
            let fits = left.iter().position(|item| {
                let mut tried = self.clone();
                let met = tried.meets(wanted, item, whole).is_ok();
                if met {
                    *self = tried;
                }
                met
            });
            left.remove(fits.ok_or_else(|| format!("nothing is {wanted}, of {got}"))?);
        }
        if left.is_empty() { Ok(()) } else { Err(format!("was not to be there: {left:?}")) }
    }

    fn meets_text(&mut self, wanted: &str, got: &Value) -> Result<(), String> {
        let (name, wanted) = named(wanted);
        match inside(wanted) {
            Some(pattern) => self.meets_pattern(pattern, got)?,
            None if self.whole_value(wanted) == Some(got) => {}
            None => {
                let wanted = self.filled(wanted);
                if got.as_str() != Some(&wanted) {
                    return Err(format!("`{wanted}` is wanted, {got} came"));
                }
            }
        }
        if let Some(name) = name {
            self.bind(name, got);
        }
        Ok(())
    }

    fn meets_pattern(&self, pattern: &str, got: &Value) -> Result<(), String> {
        let text = got.as_str();
        let number = got.as_f64();
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        let now = (aws::now() + self.ahead) as f64;
        let near = |moment: f64| number.is_some_and(|date| (date - moment).abs() < SLACK_SECONDS);
        let (word, rest) = pattern.split_once(' ').unwrap_or((pattern, ""));
        let rest = &*self.filled(rest);
        let met = match word {
            "any" | "maybe" => true,
            "text" => text.is_some_and(|text| !text.is_empty()),
            "version" => text.is_some_and(|text| (32..=64).contains(&text.len())),
            "arn" => {
                let region = self.text("region");
                let (name, region) = rest.split_once(" in ").unwrap_or((rest, &region));
                let start = format!("arn:aws:secretsmanager:{region}:000000000000:secret:{name}-");
                let suffix = text.and_then(|text| text.strip_prefix(&start));
                suffix.is_some_and(|suffix| {
                    suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
                })
            }
            "suffix" => {
                let of = self.text(rest.trim_start_matches("of "));
                let suffix = of.rsplit('-').next().unwrap_or_default();
                text.is_some_and(|text| text.rsplit('-').next() == Some(suffix))
            }
            "date" => number.is_some_and(|date| date > 1_500_000_000.0 && date < 10_000_000_000.0),
            "now" => near(now),
            #[expect(clippy::cast_precision_loss, reason = "hours from now")]
            "in" => near(now + 3600.0 * hours(rest).expect("`30d` or `5h`") as f64),
            "end" => {
                let days: f64 = rest.trim_start_matches("of day ").parse().expect("days from now");
                let end = (now / DAY).floor() * DAY + (days + 1.0) * DAY - 1.0;
                number.is_some_and(|date| (date - end).abs() < 1.0)
            }
            "today" => number.is_some_and(|date| date % DAY == 0.0 && (0.0..=DAY).contains(&(now - date))),
            "after" => number > self.bound.get(rest).and_then(Value::as_f64),
            "absent" => false,
            "contains" => text.is_some_and(|text| text.contains(rest)),
            "length" => text.is_some_and(|text| text.chars().count().to_string() == rest),
            "chars" => text.is_some_and(|text| is_of(text, rest)),
            _ => panic!("`<{pattern}>` is no pattern"),
        };
        if met { Ok(()) } else { Err(format!("{got} is no <{pattern}>")) }
    }
}

/// A list of patterns with each `{"<for 3>": X}` as three times X.
fn repeated(items: &[Value]) -> Vec<Value> {
    let each = |item: &Value| {
        let (count, what) = repetition(item).unwrap_or((1, item));
        vec![what.clone(); count]
    };
    items.iter().flat_map(each).collect()
}

fn repetition(item: &Value) -> Option<(usize, &Value)> {
    let (key, each) = only(item)?;
    Some((inside(key)?.strip_prefix("for ")?.parse().expect("a number of times"), each))
}

/// The one member of an object.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object()?;
    let first = members.iter().next().filter(|_| members.len() == 1)?;
    Some((first.0, first.1))
}

/// `32 a A 0 !`: so many characters, of these classes and of each of them; `of` takes the last away.
fn is_of(text: &str, rule: &str) -> bool {
    let mut words = rule.split(' ');
    let count = words.next().unwrap_or_default();
    let mut classes: Vec<&str> = words.collect();
    let at_most = classes.first() == Some(&"of");
    classes.retain(|class| *class != "of");
    let class_of = |c: char| match c {
        'a'..='z' => "a",
        'A'..='Z' => "A",
        '0'..='9' => "0",
        ' ' => "_",
        _ if c.is_ascii_punctuation() => "!",
        _ => "?",
    };
    text.chars().count().to_string() == count
        && text.chars().all(|c| classes.contains(&class_of(c)))
        && (at_most || classes.iter().all(|class| text.chars().any(|c| class_of(c) == *class)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn inputs_are_made() {
        let mut known = Known::new("us-east-1", "eu-west-1");
        let made = known.made(&json!({"t": "token = <token>", "u": "{token}", "x": "<ab*2>", "{region}": 1,
            "l": [{"<for 2>": "k{n}"}], "p": {"<json>": {"a": "{other}"}}}));
        assert_eq!(made["t"], made["u"]);
        assert_eq!((&made["x"], &made["us-east-1"]), (&json!("abab"), &json!(1)));
        assert_eq!((&made["l"], &made["p"]), (&json!(["k0", "k1"]), &json!("{\"a\":\"eu-west-1\"}")));
    }

    #[test]
    fn answers_are_judged() {
        let mut known = Known::new("us-east-1", "eu-west-1");
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:a-aB3dE6";
        let got = json!({"ARN": arn, "Stages": ["B", "A"], "At": 1_600_000_000.5});
        let mut met = |wanted: Value, whole| known.meets(&wanted, &got, whole).is_ok();
        assert!(met(json!({"ARN": "arn = <arn a>", "Stages": ["A", "B"], "At": "at = <date>"}), true));
        assert!(met(json!({"ARN": "{arn}"}), false));
        assert!(!met(json!({"ARN": "{arn}"}), true), "members that were not expected");
        assert!(!met(json!({"Stages": ["A"]}), false));
        assert!(!met(json!({"Stages": ["A", "C"]}), false));
        assert!(!met(json!({"At": "<absent>"}), false));
        assert!(met(json!({"No": "<absent>"}), false));
        assert!(!met(json!({"No": "<any>"}), false));
        assert!(!met(json!({"At": "<now>"}), false));
        assert!(!met(json!({"At": "<after at>"}), false));
        assert!(!met(json!({"ARN": "<arn b>"}), false));
        assert!(
            is_of("aB", "2 a A")
                && !is_of("ab", "2 a A")
                && is_of("ab", "2 of a A")
                && !is_of("a1", "2 of a A")
        );
    }
}
