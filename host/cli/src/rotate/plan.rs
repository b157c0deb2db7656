//! `pawl rotate --plan`: what the schedules will rotate.

use std::collections::BinaryHeap;

use pawl_api::EpochSeconds;
use pawl_api::pawl::{PlanRotationsRequest, PlannedRotation, PlannedSecret};
use pawl_core::limits;
use serde::Serialize;

use crate::arguments::RotateArgs;
use crate::client::Client;
use crate::output::{Format, Printer, plain, table};
use crate::settings::Environment;
use crate::{CommandError, connect};

/// Pages over all secrets, and prints their rotations in the order of time.
pub(super) fn run(
    args: &RotateArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let plan = gather(&client, args.days)?;
    match printer.format {
        Format::Json => printer.json(&plan)?,
        Format::Text => {
            for line in plan.lines() {
                printer.line(&line)?;
            }
        }
    }
    Ok(())
}

fn gather(client: &Client, days: Option<u32>) -> Result<Plan, CommandError> {
    let mut firsts = Firsts::new(limits::PLAN_LINES_MAX);
    let mut plan = Plan::default();
    let mut next_token = None;
    loop {
        let page = client.call(&PlanRotationsRequest {
            days: days.map(i64::from),
            max_results: None,
            next_token,
        })?;
        plan.until = page.until;
        for secret in page.secrets {
            plan.take(secret, &mut firsts);
        }
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    (plan.rotations, plan.rotations_left_off) = firsts.in_order();
    Ok(plan)
}

/// What is printed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Plan {
    /// How far it looks.
    until: EpochSeconds,
    /// Secrets that have a schedule.
    secrets: u64,
    /// In order of time.
    rotations: Vec<Line>,
    /// Later rotations that are not in the list.
    rotations_left_off: u64,
    warnings: Vec<Warning>,
    /// Warnings that are not in the list.
    warnings_left_off: u64,
}

/// A rotation to come.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    name: String,
    #[serde(rename = "ARN")]
    arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(flatten)]
    rotation: PlannedRotation,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Warning {
    name: String,
    #[serde(rename = "ARN")]
    arn: String,
    code: String,
    message: String,
}

impl Plan {
    fn take(&mut self, secret: PlannedSecret, firsts: &mut Firsts) {
        self.secrets = self.secrets.saturating_add(1);
        let PlannedSecret { arn, name, group, rotations, warnings, .. } = secret;
        for said in warnings {
            if self.warnings.len() < limits::PLAN_LINES_MAX {
                let (name, arn) = (name.clone(), arn.clone());
                self.warnings.push(Warning { name, arn, code: said.code, message: said.message });
            } else {
                self.warnings_left_off = self.warnings_left_off.saturating_add(1);
            }
        }
        for rotation in rotations {
            firsts.put(Line { name: name.clone(), arn: arn.clone(), group: group.clone(), rotation });
        }
    }

    fn lines(&self) -> Vec<String> {
        let until = minute(self.until);
        let mut lines = Vec::new();
        if self.rotations.is_empty() {
            lines.push(format!("nothing rotates until {until} ({} secrets have a schedule)", self.secrets));
        } else {
            let rows: Vec<Vec<String>> = self.rotations.iter().map(Line::row).collect();
            lines.extend(table(&["ROTATES (UTC)", "NAME", "WINDOW", "GROUP", ""], &rows));
        }
        if self.rotations_left_off > 0 {
            lines.push(format!("and {} more until {until}", self.rotations_left_off));
        }
        for Warning { name, message, .. } in &self.warnings {
            lines.push(format!("warning: {}: {}", plain(name), plain(message)));
        }
        if self.warnings_left_off > 0 {
            lines.push(format!("and {} more warnings", self.warnings_left_off));
        }
        lines
    }
}

impl Line {
    fn row(&self) -> Vec<String> {
        let PlannedRotation { date, window_opens, window_closes, made_up, clipped } = &self.rotation;
        let hour = |at: &EpochSeconds| at.0.utc().format("%H:%M").to_string();
        let window = match made_up {
            Some(true) => "makes up for a missed one".to_owned(),
            _ => format!("{}-{}", hour(window_opens), hour(window_closes)),
        };
        let note = if *clipped == Some(true) { "later than its group wants" } else { "" };
        let group = self.group.as_deref().map(plain).unwrap_or_default();
        vec![second(*date), plain(&self.name), window, group, note.to_owned()]
    }
}

fn minute(at: EpochSeconds) -> String {
    at.0.utc().format("%Y-%m-%d %H:%M").to_string()
}

fn second(at: EpochSeconds) -> String {
    at.0.utc().format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The first rotations of all, however many there are: a store may hold more than a terminal's machine has memory for.
struct Firsts {
    most: usize,
    left_off: u64,
    kept: BinaryHeap<Kept>,
}

/// In the order of time, and of names.
struct Kept(Line);

impl Kept {
    fn key(&self) -> (i64, &str) {
        (self.0.rotation.date.0.millis(), &self.0.name)
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Firsts {
    const fn new(most: usize) -> Self {
        Self { most, left_off: 0, kept: BinaryHeap::new() }
    }

    fn put(&mut self, line: Line) {
        self.kept.push(Kept(line));
        if self.kept.len() > self.most {
            self.kept.pop();
            self.left_off = self.left_off.saturating_add(1);
        }
    }

    fn in_order(self) -> (Vec<Line>, u64) {
        (self.kept.into_sorted_vec().into_iter().map(|Kept(line)| line).collect(), self.left_off)
    }
}

#[cfg(test)]
mod tests {
    use pawl_api::pawl::PlanWarning;
    use pawl_core::world::Timestamp;

    use super::*;

    fn at(text: &str) -> EpochSeconds {
        let at: chrono::DateTime<chrono::Utc> = text.parse().unwrap();
        EpochSeconds(Timestamp::from_millis(at.timestamp_millis()))
    }

    fn rotation(date: &str) -> PlannedRotation {
        let (window_opens, window_closes) = (at("2027-01-01T02:00:00Z"), at("2027-01-01T05:00:00Z"));
        PlannedRotation { date: at(date), window_opens, window_closes, ..Default::default() }
    }

    fn secret(name: &str, dates: &[&str]) -> PlannedSecret {
        PlannedSecret {
            name: name.to_owned(),
            rotations: dates.iter().map(|date| rotation(date)).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn rotations_are_in_the_order_of_time_whatever_the_order_of_names() {
        let (mut plan, mut firsts) =
            (Plan { until: at("2027-01-31T00:00:00Z"), ..Plan::default() }, Firsts::new(3));
        let mut warned = secret("a", &["2027-01-01T04:00:00Z", "2027-01-02T04:00:00Z"]);
        warned.warnings = vec![PlanWarning { code: "X".to_owned(), message: "look\x1b[2J".to_owned() }];
        warned.rotations[0].clipped = Some(true);
        plan.take(warned, &mut firsts);
        let mut member = secret("b", &["2027-01-01T03:00:00Z"]);
        member.group = Some("g".to_owned());
        plan.take(member, &mut firsts);
        plan.take(secret("c", &["2027-01-01T03:00:01Z"]), &mut firsts);
        (plan.rotations, plan.rotations_left_off) = firsts.in_order();
        assert_eq!(
            plan.lines(),
            [
                "ROTATES (UTC)        NAME  WINDOW       GROUP",
                "2027-01-01 03:00:00  b     02:00-05:00  g",
                "2027-01-01 03:00:01  c     02:00-05:00",
                "2027-01-01 04:00:00  a     02:00-05:00         later than its group wants",
                "and 1 more until 2027-01-31 00:00",
                "warning: a: look\u{fffd}[2J",
            ]
        );
        let json = serde_json::to_value(&plan).unwrap();
        assert_eq!(json["Rotations"][0]["Name"], "b");
        assert_eq!(json["Rotations"][0]["Date"], at("2027-01-01T03:00:00Z").0.epoch_seconds());
        assert_eq!(json["RotationsLeftOff"], 1);
    }

    #[test]
    fn a_store_without_schedules_says_so() {
        let plan = Plan { until: at("2027-01-31T00:00:00Z"), ..Plan::default() };
        assert_eq!(plan.lines(), ["nothing rotates until 2027-01-31 00:00 (0 secrets have a schedule)"]);
    }
}
