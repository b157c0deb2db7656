//! The stored secrets: the product's own type, changed by its own functions. Each one that is ever reached is kept once, and each
//! deed on it is done once, so that a state of the world is a few small numbers.

use std::cell::RefCell;
use std::collections::HashMap;

use pawl_core::arn::SecretArn;
use pawl_core::function::{Digest, FunctionArn};
use pawl_core::limits;
use pawl_core::names::{Label, VersionId};
use pawl_core::rotation::{Account, Outcome, Proof, Status, Step, StepRun};
use pawl_core::secret::{Put, RotationConfig, RotationDeedError, Secret};
use pawl_core::version::{ContentMark, Version};
use pawl_core::world::{Rng, Timestamp};

use crate::mutants::Mutant;
use crate::value::{NO_VALUE, Value, initial};

/// Which of the secrets.
pub(crate) type SecretNo = u32;

const MINUTE: i64 = 60_000;
const NOW: Timestamp = Timestamp::from_millis(1_000 * MINUTE);

/// What chance gives does not matter here: waits are not waited for, and values are named by the model.
struct NoChance;

impl Rng for NoChance {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// How a step ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ending {
    /// With what its login has proved.
    Done {
        login: bool,
        privileges: bool,
    },
    Transient,
    /// As often as a rotation fails that has changed nothing yet: a day without a database.
    Outage,
    Permanent,
    Superseded,
}

/// What hosts and people do to a stored secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    PutPending {
        token: u8,
        value: Value,
    },
    /// What a host has not stored yet is stored, and nothing else.
    Settle,
    Expose {
        token: u8,
    },
    NoteLogin {
        token: u8,
        account: u8,
        refused: bool,
    },
    Promote {
        token: u8,
    },
    StepEnded {
        token: u8,
        step: Step,
        ending: Ending,
        changed: bool,
    },
    Rotate {
        token: u8,
    },
    Schedule {
        token: u8,
    },
    Cancel,
    PutCurrent {
        token: u8,
        value: Value,
    },
    PutAsPending {
        token: u8,
        value: Value,
    },
    RemovePending,
    BackToPrevious,
    /// Months go by, and a hundred other versions.
    Age,
}

/// Why a deed was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum No {
    Superseded,
    Refused,
}

/// Where a secret's rotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    Running(Step),
    Succeeded,
    Failed,
    Stranded,
    Cancelled,
    Abandoned,
}

impl Stand {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Running(_) => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stranded => "Stranded",
            Self::Cancelled => "Cancelled",
            Self::Abandoned => "Abandoned",
        }
    }
}

/// What hosts read of a secret, and what the judge asks it.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) current: Value,
    pub(crate) current_version: u8,
    pub(crate) current_was_rotated: bool,
    pub(crate) previous: Value,
    /// The version of the rotation.
    pub(crate) token: u8,
    /// Its value.
    pub(crate) pending: Value,
    /// Whether the rotation owns the secret.
    pub(crate) owned: bool,
    pub(crate) stand: Stand,
    pub(crate) exposed: bool,
    pub(crate) proof: Proof,
    pub(crate) refusals: [u8; 2],
    pub(crate) others: Vec<Value>,
    /// Every value that a rotation to come would try.
    pub(crate) candidates: Vec<Value>,
    /// The versions that have a label.
    pub(crate) labelled: Vec<u8>,
    /// Every version's value.
    pub(crate) values: Vec<(u8, Value)>,
}

impl Facts {
    pub(crate) fn value_of(&self, version: u8) -> Value {
        self.values.iter().find(|(id, _)| *id == version).map_or(NO_VALUE, |(_, value)| *value)
    }
}

/// All secrets that were reached.
pub(crate) struct Ledger {
    mutant: Option<Mutant>,
    secrets: Vec<Secret>,
    facts: Vec<std::rc::Rc<Facts>>,
    numbers: HashMap<String, SecretNo>,
    done: RefCell<HashMap<(SecretNo, Deed), Result<SecretNo, No>>>,
}

impl Ledger {
    /// A ledger, and the number of a secret that has been rotated by hand once: version 1 is AWSPREVIOUS, version 2 is AWSCURRENT
    /// and rotation 3 has been asked for.
    pub(crate) fn new(mutant: Option<Mutant>, alternating: bool) -> (Self, SecretNo) {
        let mut ledger = Self {
            mutant,
            secrets: Vec::new(),
            facts: Vec::new(),
            numbers: HashMap::new(),
            done: RefCell::default(),
        };
        let (region, name) = ("us-east-1".parse().unwrap(), "x".parse().unwrap());
        let arn = SecretArn::mint(&region, &"000000000000".parse().unwrap(), &name, &NoChance);
        let mut secret = Secret::new(arn, region, name, NOW);
        for token in 1..=2 {
            let value = initial(token, alternating);
            secret.put(&id(token), &mark(value), &[], born(token)).unwrap();
        }
        let function = FunctionArn::given("f".to_owned());
        secret.rotation_config = Some(Box::new(RotationConfig { enabled: true, function, schedule: None }));
        let unasked = ledger.keep(secret);
        let asked = ledger.act(unasked, Deed::Rotate { token: 3 }).unwrap();
        (ledger, asked)
    }

    pub(crate) fn facts(&self, secret: SecretNo) -> &std::rc::Rc<Facts> {
        &self.facts[secret as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.secrets.len()
    }

    /// Does a deed; the secret as it is then.
    pub(crate) fn act(&mut self, secret: SecretNo, deed: Deed) -> Result<SecretNo, No> {
        if let Some(answer) = self.done.borrow().get(&(secret, deed)) {
            return *answer;
        }
        let mut changed = self.secrets[secret as usize].clone();
        let answer = perform(&mut changed, deed, self.mutant).map(|()| {
            if self.mutant == Some(Mutant::ForgetAdrift) {
                changed.adrift.clear();
            }
            self.keep(changed)
        });
        self.done.borrow_mut().insert((secret, deed), answer);
        answer
    }

    fn keep(&mut self, mut secret: Secret) -> SecretNo {
        without_time(&mut secret);
        let text = serde_json::to_string(&secret).unwrap();
        if let Some(known) = self.numbers.get(&text) {
            return *known;
        }
        let number = SecretNo::try_from(self.secrets.len()).unwrap();
        self.numbers.insert(text, number);
        self.facts.push(std::rc::Rc::new(read(&secret)));
        self.secrets.push(secret);
        number
    }
}

fn id(token: u8) -> VersionId {
    format!("{token:032}").parse().unwrap()
}

fn mark(value: Value) -> ContentMark {
    ContentMark(value.to_string())
}

/// The order in which versions were made is the one thing about time that matters.
fn born(token: u8) -> Timestamp {
    Timestamp::from_millis(i64::from(token) * MINUTE)
}

fn account(number: u8) -> Account {
    Account::new(["app", "app_clone"][usize::from(number)], "db", 1)
}

/// Waits are over at once and dates are all the same: any order of events is explored anyway.
fn without_time(secret: &mut Secret) {
    secret.last_changed_at = NOW;
    secret.last_rotated_at = secret.last_rotated_at.map(|_| NOW);
    if let Some(rotation) = &mut secret.rotation {
        rotation.not_before = NOW;
        rotation.requested_at = NOW;
        rotation.finished_at = rotation.finished_at.map(|_| NOW);
        rotation.changed_at = rotation.changed_at.map(|_| NOW);
        rotation.gap_micros = None;
        rotation.failure = None;
        rotation.log.clear();
        for step in &mut rotation.steps {
            (step.started_at, step.micros, step.tries) = (NOW, 0, 1);
        }
    }
}

fn step_run(ending: Ending, changed: bool) -> StepRun {
    let proof = match ending {
        Ending::Done { login, privileges } => Proof { login, privileges },
        _ => Proof::default(),
    };
    StepRun { proof, changed_at: changed.then_some(NOW), ..StepRun::begun(NOW) }
}

/// What a rotation's host does.
fn perform(secret: &mut Secret, deed: Deed, mutant: Option<Mutant>) -> Result<(), No> {
    let owned = |error: RotationDeedError| match error {
        RotationDeedError::Superseded => No::Superseded,
        _ => No::Refused,
    };
    match deed {
        Deed::PutPending { token, value } => {
            let put = secret.put_pending(&id(token), &mark(value)).map_err(owned)?;
            let there = secret.versions.get(&id(token)).and_then(|version| version.content.as_ref());
            if mutant == Some(Mutant::RegenerateOnRetry) {
                secret.versions.get_mut(&id(token)).unwrap().content = Some(mark(value));
            } else if put == Put::AlreadyThere && there != Some(&mark(value)) {
                return Err(No::Superseded);
            }
        }
        Deed::Settle => {}
        Deed::Expose { token } => secret.expose(&id(token), NOW).map_err(owned)?,
        Deed::NoteLogin { token, account: which, refused } => {
            secret.note_login(&id(token), account(which), refused).map_err(owned)?;
        }
        Deed::Promote { token } => {
            if mutant == Some(Mutant::PromoteBeforeTest) {
                secret.labels.attach(Label::current(), &id(token));
            } else {
                secret.promote(&id(token), NOW).map_err(owned)?;
            }
        }
        Deed::StepEnded { token, step, ending, changed } => {
            let (outcome, times) = match ending {
                Ending::Done { .. } => (Outcome::Done, 1),
                Ending::Transient => (Outcome::Transient(String::new()), 1),
                Ending::Outage => (Outcome::Transient(String::new()), limits::STEP_TRIES_MAX),
                Ending::Permanent => (Outcome::Permanent(String::new()), 1),
                Ending::Superseded => (Outcome::Superseded, 1),
            };
            for _ in 0..times {
                let run = step_run(ending, changed);
                secret.step_ended(&id(token), (step, outcome.clone()), run, NOW, &NoChance);
            }
        }
        Deed::Rotate { .. }
        | Deed::Schedule { .. }
        | Deed::Cancel
        | Deed::PutCurrent { .. }
        | Deed::PutAsPending { .. }
        | Deed::RemovePending
        | Deed::BackToPrevious
        | Deed::Age => return from_outside(secret, deed, mutant),
    }
    Ok(())
}

/// What people do, the schedule, and time.
fn from_outside(secret: &mut Secret, deed: Deed, mutant: Option<Mutant>) -> Result<(), No> {
    match deed {
        Deed::Rotate { token } => {
            secret.rotate(&id(token), Digest::from_bytes([0; 32]), born(token)).map_err(|_| No::Refused)?;
        }
        Deed::Schedule { token } => {
            let enabled = secret.rotation_config.as_ref().is_some_and(|config| config.enabled);
            if !enabled || secret.rotation_due_at().is_some() {
                return Err(No::Refused);
            }
            let digest = Digest::from_bytes([0; 32]);
            if mutant == Some(Mutant::ScheduleForgets) {
                secret.rotate(&id(token), digest, born(token)).map_err(|_| No::Refused)?;
            } else {
                secret.rotate_by_schedule(&id(token), digest, born(token)).map_err(|_| No::Refused)?;
            }
        }
        Deed::Cancel => {
            secret.cancel_rotation(NOW);
            if let Some(rotation) = secret.rotation.as_mut().filter(|_| mutant == Some(Mutant::CancelEnds)) {
                rotation.status = Status::Cancelled;
            }
        }
        Deed::PutCurrent { token, value } => {
            secret.put(&id(token), &mark(value), &[], born(token)).map_err(|_| No::Refused)?;
        }
        Deed::PutAsPending { token, value } => {
            let labels = [Label::pending()];
            secret.put(&id(token), &mark(value), &labels, born(token)).map_err(|_| No::Refused)?;
        }
        Deed::RemovePending => {
            let from = secret.labels.pending().cloned().ok_or(No::Refused)?;
            secret.update_stage(&Label::pending(), Some(&from), None, NOW).map_err(|_| No::Refused)?;
        }
        Deed::BackToPrevious => {
            let labels = &secret.labels;
            let (from, to) = labels.current().zip(labels.previous()).ok_or(No::Refused)?;
            let (from, to) = (from.clone(), to.clone());
            if from == to {
                return Err(No::Refused);
            }
            secret.update_stage(&Label::current(), Some(&from), Some(&to), NOW).map_err(|_| No::Refused)?;
        }
        Deed::Age => age(secret),
        _ => return Err(No::Refused),
    }
    Ok(())
}

/// A hundred newer versions come and go, and the product decides what is dropped of the older ones.
fn age(secret: &mut Secret) {
    let many: Vec<VersionId> = (1_000..=1_000 + limits::DEPRECATED_VERSIONS_MAX)
        .map(|n| format!("{n:032}").parse().unwrap())
        .collect();
    for version in &many {
        secret.versions.insert(version.clone(), Version::new(NOW, Some(mark(NO_VALUE))));
    }
    secret.drop_deprecated(NOW.plus_days(90));
    for version in &many {
        secret.versions.remove(version);
    }
}

fn number(version: &VersionId) -> u8 {
    version.as_str().trim_start_matches('0').parse().unwrap()
}

fn read(secret: &Secret) -> Facts {
    let value = |id: &VersionId| {
        let content = secret.versions.get(id).and_then(|version| version.content.as_ref());
        content.map_or(NO_VALUE, |mark| mark.0.parse().unwrap())
    };
    let labels = &secret.labels;
    let (current, previous) = (labels.current().unwrap(), labels.previous());
    let rotation = secret.rotation.as_deref();
    let unasked = id(99);
    let token = rotation.map_or(&unasked, |rotation| &rotation.token);
    let others: Vec<_> = secret.other_candidates(token).iter().map(value).collect();
    let mut candidates: Vec<_> = secret.other_candidates(&unasked).iter().map(value).collect();
    candidates.extend([Some(current), previous, labels.pending()].into_iter().flatten().map(value));
    let refusals = [0, 1].map(|n| {
        let count = rotation.map_or(0, |rotation| rotation.refusals_of(&account(n)));
        u8::try_from(count).unwrap()
    });
    Facts {
        current: value(current),
        current_version: number(current),
        current_was_rotated: secret.versions.get(current).is_some_and(|version| version.rotated),
        previous: previous.map_or(NO_VALUE, value),
        token: if rotation.is_some() { number(token) } else { 0 },
        pending: value(token),
        owned: secret.owned_by(token).is_ok(),
        stand: match rotation.map_or(Status::Succeeded, |rotation| rotation.status) {
            Status::Running { step } => Stand::Running(step),
            Status::Succeeded => Stand::Succeeded,
            Status::Failed { .. } => Stand::Failed,
            Status::Stranded { .. } => Stand::Stranded,
            Status::Cancelled => Stand::Cancelled,
            Status::Abandoned => Stand::Abandoned,
        },
        exposed: rotation.is_some_and(|rotation| rotation.exposed),
        proof: rotation.map_or(Proof::default(), |rotation| rotation.proof),
        refusals,
        others,
        candidates,
        labelled: labels.labelled().into_iter().map(number).collect(),
        values: secret.versions.iter().map(|(id, _)| (number(id), value(id))).collect(),
    }
}
