//! The cases as data: what is asked, what must come, and who says so.
//!
//! ```text
//! case A label sits on one version only
//! from aws-api.md 6, S non_versioning
//! CreateSecret {"Name": "s", "SecretString": "1"}
//!   -> {"ARN": "<arn s>", "Name": "s", "VersionId": "v1 = <version>"}
//! GetSecretValue {"SecretId": "s", "VersionStage": "NONE"}
//!   !! ResourceNotFoundException "Secrets Manager can't find ... label: NONE"
//! ```
//!
//! `->` is the whole answer, `~>` a part of it, `!!` an error: its codes (`A|B`), then its message in quotes, or a part of it
//! after `~`. Without any of them the call must succeed. Before an operation: `raw` sends the very body and nothing but it,
//! `in REGION` calls another region, `await` asks again until the answer fits, `repeat N` calls N times with `{n}` counting.
//! `advance 31d` moves the clock of the server. What stands inside of strings is `values.rs`'s.

use serde_json::Value;

/// One story.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) file: &'static str,
    pub(crate) name: String,
    /// Who says that it must be so.
    pub(crate) source: String,
    pub(crate) steps: Vec<Step>,
}

/// One line of a story.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Call(Box<Call>),
    /// Hours by which the clock is moved.
    Advance(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) line: usize,
    pub(crate) raw: bool,
    pub(crate) awaits: bool,
    pub(crate) repeat: usize,
    pub(crate) region: Option<String>,
    pub(crate) operation: String,
    pub(crate) input: Value,
    pub(crate) expected: Expected,
}

#[derive(Clone, Debug)]
pub(crate) enum Expected {
    Success,
    Whole(Value),
    Part(Value),
    Failure { codes: Vec<String>, message: Option<Message> },
}

#[derive(Clone, Debug)]
pub(crate) enum Message {
    Is(String),
    Has(String),
}

impl Case {
    /// Whether the case moves the clock, and so needs a server whose clock can be moved.
    pub(crate) fn moves_clock(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Advance(_)))
    }

    /// The calls alone.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.steps.iter().filter_map(|step| match step {
            Step::Call(call) => Some(&**call),
            Step::Advance(_) => None,
        })
    }
}

struct Reader<'a> {
    file: &'static str,
    whole: &'a str,
    rest: &'a str,
}

/// Reads a file of cases.
pub(crate) fn read(file: &'static str, text: &str) -> Vec<Case> {
    let mut reader = Reader { file, whole: text, rest: text };
    let mut cases: Vec<Case> = Vec::new();
    loop {
        reader.skip_blank();
        if reader.rest.is_empty() {
            break;
        }
        if let Some(name) = reader.take_word("case") {
            let name = reader.rest_of_line(name);
            cases.push(Case { file, name, source: String::new(), steps: Vec::new() });
            continue;
        }
        let Some(case) = cases.last_mut() else { reader.fail("a file begins with a case") };
        if let Some(source) = reader.take_word("from") {
            case.source = reader.rest_of_line(source);
        } else if let Some(time) = reader.take_word("advance") {
            let time = reader.rest_of_line(time);
            case.steps.push(Step::Advance(hours(&time).unwrap_or_else(|| reader.fail("`31d` or `5h`"))));
        } else {
            let call = reader.call();
            case.steps.push(Step::Call(Box::new(call)));
        }
    }
    for case in &cases {
        assert!(!case.source.is_empty(), "{file}: `{}` does not say who says so", case.name);
        assert!(!case.steps.is_empty(), "{file}: `{}` does nothing", case.name);
    }
    cases
}

/// `31d` or `5h` in hours.
pub(crate) fn hours(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let each = match unit {
        "d" => 24,
        "h" => 1,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * each)
}

impl<'a> Reader<'a> {
    fn line(&self) -> usize {
        self.whole[..self.whole.len() - self.rest.len()].lines().count().max(1)
    }

    fn fail(&self, what: &str) -> ! {
        let near: String = self.rest.chars().take(60).collect();
        panic!("{} line {}: {what}, at `{near}`", self.file, self.line())
    }

    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if !self.rest.starts_with('#') {
                return;
            }
            self.rest = self.rest.split_once('\n').map_or("", |(_, after)| after);
        }
    }

    /// What follows a word, if the next word is that one.
    fn take_word(&self, word: &str) -> Option<&'a str> {
        self.rest.strip_prefix(word).filter(|after| after.starts_with(' ')).map(str::trim_start)
    }

    fn rest_of_line(&mut self, from: &'a str) -> String {
        let (line, after) = from.split_once('\n').unwrap_or((from, ""));
        self.rest = after;
        line.trim().to_owned()
    }

    fn word(&mut self) -> String {
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(end);
        self.rest = after.trim_start_matches(' ');
        word.to_owned()
    }

    fn json(&mut self) -> Value {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                self.rest = &self.rest[values.byte_offset()..];
                value
            }
            Some(Err(why)) => self.fail(&format!("no JSON ({why})")),
            None => self.fail("JSON is missing"),
        }
    }

    fn call(&mut self) -> Call {
        let mut call = Call {
            line: self.line() + 1,
            raw: false,
            awaits: false,
            repeat: 1,
            region: None,
            operation: String::new(),
            input: Value::Null,
            expected: Expected::Success,
        };
        loop {
            match self.word().as_str() {
                "raw" => call.raw = true,
                "await" => call.awaits = true,
                "repeat" => {
                    let count = self.word();
                    call.repeat = count.parse().unwrap_or_else(|_| self.fail("a number of times"));
                }
                "in" => call.region = Some(self.word()),
                operation if operation.starts_with(|first: char| first.is_ascii_uppercase()) => {
                    operation.clone_into(&mut call.operation);
                    break;
                }
                _ => self.fail("neither an operation nor a word that may stand before one"),
            }
        }
        call.input = self.json();
        self.skip_blank();
        call.expected = self.expected();
        call
    }

    fn expected(&mut self) -> Expected {
        if let Some(after) = self.rest.strip_prefix("->") {
            self.rest = after;
            return Expected::Whole(self.json());
        }
        if let Some(after) = self.rest.strip_prefix("~>") {
            self.rest = after;
            return Expected::Part(self.json());
        }
        let Some(after) = self.rest.strip_prefix("!! ") else { return Expected::Success };
        self.rest = after;
        let codes = self.word().split('|').map(str::to_owned).collect();
        let (part, after) = self.rest.strip_prefix('~').map_or((false, self.rest), |after| (true, after));
        if !after.starts_with('"') {
            return Expected::Failure { codes, message: None };
        }
        self.rest = after;
        let Value::String(text) = self.json() else { self.fail("a message is a string") };
        let message = Some(if part { Message::Has(text) } else { Message::Is(text) });
        Expected::Failure { codes, message }
    }
}

#[test]
fn a_case_is_read_as_it_is_meant() {
    let cases = read(
        "x",
        "# said first\ncase One two\nfrom somewhere\nraw in eu-west-1 GetSecretValue {\"a\":\n  1}\n  !! A|B ~\"part\"\n\
         repeat 3 X {}\nadvance 2d\nawait Y {} ~> {\"b\": 2}\ncase Three\nfrom elsewhere\nX {} -> {}\n",
    );
    assert_eq!(cases.len(), 2);
    assert_eq!((cases[0].name.as_str(), cases[0].source.as_str()), ("One two", "somewhere"));
    assert!(cases[0].moves_clock() && !cases[1].moves_clock());
    let calls: Vec<&Call> = cases[0].calls().collect();
    assert_eq!((calls[0].raw, calls[0].region.as_deref(), calls[0].line), (true, Some("eu-west-1"), 4));
    let Expected::Failure { codes, message: Some(Message::Has(text)) } = &calls[0].expected else { panic!() };
    assert_eq!((codes.join(" "), text.as_str()), ("A B".to_owned(), "part"));
    assert_eq!((calls[1].repeat, calls[2].awaits), (3, true));
    assert!(matches!(calls[2].expected, Expected::Part(_)));
}
