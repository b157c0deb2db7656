//! The rules of staging labels, written down a second time and played against the service under random sequences.
//!
//! The rules are aws-api.md's (sections 3, 5, 6 and 7 of the facts that the conformance cases cite), not read off Pawl's code.
//! Where those facts leave a choice, the sequence leaves the question out.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use pawl_tests::http::Answer;
use pawl_tests::pawl::{Options, Pawl};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};

/// Sequences, and the most steps of one: about ten seconds.
const SEQUENCES: u32 = 96;
const STEPS_MAX: usize = 24;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const PENDING: &str = "AWSPENDING";

/// Not an error, and the errors of Secrets Manager that these rules know.
const OK: &[&str] = &[];
const MISSING: &[&str] = &["ResourceNotFoundException"];
const MARKED: &[&str] = &["InvalidRequestException"];
const EXISTS: &[&str] = &["ResourceExistsException"];
const PARAMETER: &[&str] = &["InvalidParameterException"];
/// Where AWS's choice between them is not recorded.
const REFUSED: &[&str] =
    &["InvalidParameterException", "InvalidRequestException", "ResourceNotFoundException"];

/// Versions by small numbers: a sequence reads better so, and they meet more often.
type Token = u8;

#[derive(Clone, Debug)]
enum Step {
    Create { token: Token, value: Option<u8> },
    Put { token: Token, value: u8, labels: Vec<&'static str> },
    Update { token: Token, value: Option<u8> },
    MoveLabel { label: &'static str, to: Option<Token>, from: Option<Token> },
    Delete { force: bool },
    Restore,
    Get { version: Option<Token>, label: Option<&'static str> },
    ListVersions,
}

#[derive(Clone, Debug, Default)]
struct Version {
    value: u8,
    labels: BTreeSet<&'static str>,
}

#[derive(Clone, Debug, Default)]
struct Secret {
    /// The token and the value of CreateSecret.
    created: (Token, Option<u8>),
    marked: bool,
    versions: BTreeMap<Token, Version>,
}

/// What the rules say of one step: the codes that may come (none: it succeeds), and the value that is read.
struct Verdict {
    codes: &'static [&'static str],
    read: Option<(Token, u8)>,
}

const fn verdict(codes: &'static [&'static str]) -> Option<Verdict> {
    Some(Verdict { codes, read: None })
}

#[derive(Clone, Debug, Default)]
struct Rules(Option<Secret>);

impl Secret {
    fn holder(&self, label: &str) -> Option<Token> {
        self.versions.iter().find(|(_, version)| version.labels.contains(label)).map(|(token, _)| *token)
    }

    /// A label sits on one version; AWSPREVIOUS goes to the version that AWSCURRENT leaves.
    fn attach(&mut self, label: &'static str, to: Token) {
        let from = self.holder(label);
        if from == Some(to) {
            return;
        }
        for version in self.versions.values_mut() {
            version.labels.remove(label);
        }
        if let (CURRENT, Some(from)) = (label, from) {
            self.attach(PREVIOUS, from);
        }
        self.versions.get_mut(&to).expect("it is there").labels.insert(label);
    }

    fn put(&mut self, token: Token, value: u8, labels: &[&'static str]) -> Option<&'static [&'static str]> {
        if let Some(there) = self.versions.get(&token) {
            return Some(if there.value == value { OK } else { EXISTS });
        }
        let (current, pending) = (self.holder(CURRENT), self.holder(PENDING));
        let takes_current = labels.is_empty() || labels.contains(&CURRENT);
        if takes_current && pending.is_some() && pending != current && !labels.contains(&PENDING) {
            // Whether a new current version takes AWSPENDING from any other than the one before is not recorded.
            return None;
        }
        let first = self.versions.is_empty();
        self.versions.insert(token, Version { value, ..Version::default() });
        let mut labels = labels.to_vec();
        if labels.is_empty() || (first && !labels.contains(&CURRENT)) {
            labels.push(CURRENT);
        }
        for label in labels {
            // What a put demotes loses AWSPENDING.
            if let (CURRENT, Some(demoted)) = (label, self.holder(CURRENT)) {
                self.versions.get_mut(&demoted).expect("it is there").labels.remove(PENDING);
            }
            self.attach(label, token);
        }
        Some(OK)
    }

    fn move_label(
        &mut self,
        label: &'static str,
        to: Option<Token>,
        from: Option<Token>,
    ) -> Option<&'static [&'static str]> {
        let holder = self.holder(label);
        let unknown = [to, from].into_iter().flatten().any(|token| !self.versions.contains_key(&token));
        match (to, from) {
            _ if unknown => Some(REFUSED),
            (None, None) => Some(REFUSED),
            (None, Some(from)) if holder == Some(from) => {
                if label == CURRENT {
                    return Some(REFUSED);
                }
                self.versions.get_mut(&from).expect("it is there").labels.remove(label);
                Some(OK)
            }
            (None, Some(_)) => Some(REFUSED),
            (Some(to), None) => match holder {
                Some(holder) if holder != to => Some(PARAMETER),
                _ => {
                    self.attach(label, to);
                    Some(OK)
                }
            },
            // Not recorded: a move to where it is, and from where it is not when it is nowhere.
            (Some(to), Some(from)) if to == from || holder.is_none() || holder == Some(to) => None,
            (Some(to), Some(from)) if holder == Some(from) => {
                self.attach(label, to);
                Some(OK)
            }
            (Some(_), Some(_)) => Some(PARAMETER),
        }
    }

    fn get(&self, version: Option<Token>, label: Option<&'static str>) -> Option<Verdict> {
        let held = label.or(version.is_none().then_some(CURRENT)).map(|label| self.holder(label));
        let there = version.map(|token| self.versions.contains_key(&token));
        let token = match (there, held) {
            (Some(false), Some(_)) => return verdict(REFUSED),
            (Some(false), None) | (None, Some(None)) => return verdict(MISSING),
            (Some(true), Some(held)) if held != version => return verdict(MARKED),
            (Some(true), _) => version,
            (None, held) => held.flatten(),
        };
        let token = token.expect("one of them says which");
        Some(Verdict { codes: OK, read: Some((token, self.versions[&token].value)) })
    }
}

impl Rules {
    /// What must come of a step, after which the rules are as the service must be; none when they do not say.
    fn judge(&mut self, step: &Step) -> Option<Verdict> {
        let Some(secret) = &mut self.0 else {
            match step {
                Step::Create { token, value } => {
                    let mut secret = Secret { created: (*token, *value), ..Secret::default() };
                    if let Some(value) = value {
                        secret.put(*token, *value, &[])?;
                    }
                    self.0 = Some(secret);
                }
                Step::Delete { force: true } => {}
                _ => return verdict(MISSING),
            }
            return verdict(OK);
        };
        match step {
            Step::Delete { force: true } => {
                self.0 = None;
                return verdict(OK);
            }
            Step::Restore => {
                secret.marked = false;
                return verdict(OK);
            }
            Step::ListVersions => return verdict(OK),
            _ if secret.marked => return verdict(MARKED),
            _ => {}
        }
        let codes = match step {
            Step::Create { token, value } if secret.created == (*token, *value) && value.is_some() => OK,
            // Whether it is the same request is not recorded.
            Step::Create { token, .. }
                if secret.versions.contains_key(token) || secret.created.0 == *token =>
            {
                return None;
            }
            Step::Create { .. } => EXISTS,
            Step::Put { token, value, labels } => secret.put(*token, *value, labels)?,
            Step::Update { token, value: Some(value) } => secret.put(*token, *value, &[])?,
            Step::Update { token, value: None } if secret.versions.contains_key(token) => return None,
            Step::Update { .. } => OK,
            Step::MoveLabel { label, to, from } => secret.move_label(label, *to, *from)?,
            Step::Delete { .. } => {
                secret.marked = true;
                OK
            }
            Step::Get { version, label } => return secret.get(*version, *label),
            Step::Restore | Step::ListVersions => OK,
        };
        verdict(codes)
    }
}

/// One secret of the service, and the numbers' meanings there.
struct Player<'a> {
    pawl: &'a Pawl,
    name: String,
}

impl Player<'_> {
    fn token(&self, token: Token) -> String {
        format!("{token:02}-token-of-{:-<32}", self.name)
    }

    fn play(&self, step: &Step) -> Answer {
        let id = &self.name;
        let token = |token: &Token| self.token(*token);
        let (operation, mut input) = match step {
            Step::Create { token: t, value } => (
                "CreateSecret",
                json!({"Name": id, "ClientRequestToken": token(t), "SecretString": value.map(text)}),
            ),
            Step::Put { token: t, value, labels } => (
                "PutSecretValue",
                json!({"SecretId": id, "ClientRequestToken": token(t), "SecretString": text(*value),
                       "VersionStages": Some(labels).filter(|labels| !labels.is_empty())}),
            ),
            Step::Update { token: t, value } => (
                "UpdateSecret",
                json!({"SecretId": id, "ClientRequestToken": token(t), "SecretString": value.map(text)}),
            ),
            Step::MoveLabel { label, to, from } => (
                "UpdateSecretVersionStage",
                json!({"SecretId": id, "VersionStage": label, "MoveToVersionId": to.as_ref().map(token),
                       "RemoveFromVersionId": from.as_ref().map(token)}),
            ),
            Step::Delete { force: true } => {
                ("DeleteSecret", json!({"SecretId": id, "ForceDeleteWithoutRecovery": true}))
            }
            Step::Delete { force: false } => ("DeleteSecret", json!({"SecretId": id})),
            Step::Restore => ("RestoreSecret", json!({"SecretId": id})),
            Step::Get { version, label } => (
                "GetSecretValue",
                json!({"SecretId": id, "VersionId": version.as_ref().map(token), "VersionStage": label}),
            ),
            Step::ListVersions => {
                ("ListSecretVersionIds", json!({"SecretId": id, "IncludeDeprecated": true}))
            }
        };
        input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.pawl.try_call(operation, &input)
    }

    /// What DescribeSecret and ListSecretVersionIds show must be what the rules have.
    fn compare(&self, rules: &Rules) -> Result<(), String> {
        let described = self.pawl.try_call("DescribeSecret", &json!({"SecretId": self.name}));
        let Some(secret) = &rules.0 else {
            return if described.code() == MISSING[0] {
                Ok(())
            } else {
                Err(format!("there is {}", described.body))
            };
        };
        let described = described.json();
        if described["DeletedDate"].is_number() != secret.marked {
            return Err(format!("marked for deletion is {}, and there is {described}", secret.marked));
        }
        let labelled: BTreeMap<String, BTreeSet<&str>> = secret
            .versions
            .iter()
            .filter(|(_, version)| !version.labels.is_empty())
            .map(|(token, version)| (self.token(*token), version.labels.clone()))
            .collect();
        let shown: BTreeMap<String, BTreeSet<&str>> = described["VersionIdsToStages"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(id, labels)| (id.clone(), strings(labels)))
            .collect();
        if shown != labelled {
            return Err(format!("DescribeSecret shows {shown:?}, the rules say {labelled:?}"));
        }
        let listed = self.play(&Step::ListVersions).json();
        let listed: BTreeMap<String, BTreeSet<&str>> = listed["Versions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|version| {
                (version["VersionId"].as_str().unwrap().to_owned(), strings(&version["VersionStages"]))
            })
            .collect();
        let all = secret.versions.iter().map(|(token, version)| (self.token(*token), version.labels.clone()));
        let all: BTreeMap<String, BTreeSet<&str>> = all.collect();
        if listed == all {
            Ok(())
        } else {
            Err(format!("ListSecretVersionIds shows {listed:?}, the rules say {all:?}"))
        }
    }
}

fn strings(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn text(value: u8) -> String {
    format!("value {value}")
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let token = 0..6_u8;
    let value = 0..2_u8;
    let label = || prop::sample::select(vec![CURRENT, PREVIOUS, PENDING, "BLUE", "GREEN"]);
    // AWSCURRENT and AWSPREVIOUS for one new version: what that means is not recorded.
    let labels = prop::collection::btree_set(label(), 0..3)
        .prop_map(|labels| labels.into_iter().collect::<Vec<_>>())
        .prop_filter("both at once", |labels| !(labels.contains(&CURRENT) && labels.contains(&PREVIOUS)));
    let maybe = || prop::option::of(0..6_u8);
    let step = prop_oneof![
        3 => (token.clone(), prop::option::weighted(0.8, value.clone()))
            .prop_map(|(token, value)| Step::Create { token, value }),
        8 => (token.clone(), value.clone(), labels)
            .prop_map(|(token, value, labels)| Step::Put { token, value, labels }),
        2 => (token, prop::option::of(value)).prop_map(|(token, value)| Step::Update { token, value }),
        8 => (label(), maybe(), maybe()).prop_map(|(label, to, from)| Step::MoveLabel { label, to, from }),
        1 => prop::bool::ANY.prop_map(|force| Step::Delete { force }),
        2 => Just(Step::Restore),
        3 => (maybe(), prop::option::of(label())).prop_map(|(version, label)| Step::Get { version, label }),
        1 => Just(Step::ListVersions),
    ];
    prop::collection::vec(step, 1..STEPS_MAX)
}

/// Plays one sequence on a secret of its own.
fn follow(pawl: &Pawl, name: &str, steps: &[Step]) -> Result<(), String> {
    let player = Player { pawl, name: name.to_owned() };
    let mut rules = Rules::default();
    for (number, step) in steps.iter().enumerate() {
        let at = |why: String| format!("step {}, {step:?}: {why}", number + 1);
        let before = rules.clone();
        let Some(verdict) = rules.judge(step) else {
            rules = before;
            continue;
        };
        let answer = player.play(step);
        let right = if verdict.codes.is_empty() {
            answer.status == 200
        } else {
            answer.status == 400 && verdict.codes.contains(&&*answer.code())
        };
        if !right {
            return Err(at(format!("wanted {:?}, got {} {}", verdict.codes, answer.status, answer.body)));
        }
        if let Some((token, value)) = verdict.read {
            let json = answer.json();
            if json["VersionId"] != player.token(token) || json["SecretString"] != text(value) {
                return Err(at(format!("wanted version {token} with `{}`, got {json}", text(value))));
            }
        }
        player.compare(&rules).map_err(at)?;
    }
    Ok(())
}

#[test]
fn labels_follow_their_rules_under_any_sequence() {
    let pawl = Pawl::start(Options::default());
    let config = Config { cases: SEQUENCES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let played = Cell::new(0_u32);
    let outcome = TestRunner::new_with_rng(config, rng).run(&steps(), |steps| {
        played.set(played.get() + 1);
        follow(&pawl, &format!("s{}", played.get()), &steps).map_err(TestCaseError::fail)
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
