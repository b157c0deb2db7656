//! `pawl audit verify`.

use std::collections::HashMap;
use std::path::Path;

use pawl_audit::{Anchor, Chain, Finding, PUBLIC_KEY_FILE, PublicKey, Report, chains_of, verify};
use pawl_server::backup::Place;
use serde_json::json;

use super::VerifyArgs;
use super::files::{chains, failed};
use crate::CommandError;
use crate::output::{Format, Printer};
use crate::place;
use crate::settings::{self, Environment};

pub(super) fn run(
    args: &VerifyArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let mut remarks = Vec::new();
    // The store first: what it knows by now is in the files by the time they are read.
    let dir = if args.files.is_empty() { Some(args.log.dir(environment)?) } else { None };
    let found = match &dir {
        Some(dir) => chains(dir)?,
        None => {
            let wrong = |path: std::path::PathBuf| {
                let path = path.display();
                CommandError::Failed(format!(
                    "`{path}` is no segment of an audit log: their names are like 000000001-20261123.jsonl"
                ))
            };
            chains_of(&args.files).map_err(wrong)?
        }
    };
    let own = own_host(args, environment);
    let asked = anchors(args, environment, &found, own.as_ref(), &mut remarks)?;
    // What was begun meanwhile belongs to it.
    let found = match &dir {
        Some(dir) => chains(dir)?,
        None => found,
    };
    let keys = keys(args, dir.as_deref(), &found, &mut remarks)?;
    let mut findings = Vec::new();
    let text = printer.format == Format::Text;
    let mut broken = None;
    let mut tell = |finding: &Finding| {
        if text {
            broken = broken.take().or_else(|| printer.line(&told(finding)).err());
        } else if findings.len() < FINDINGS_MAX {
            findings.push(finding.clone());
        }
    };
    let anchor = |host: &str| asked.as_ref().and_then(|anchors| anchors.get(host).cloned());
    let report = verify(&found, &keys, &anchor, &mut tell);
    let mut report = report.map_err(|error| failed(dir.as_deref().unwrap_or(Path::new("FILES")), &error))?;
    if let (Some(anchors), Some(dir)) = (&asked, &dir) {
        for what in unknown(dir, &report, anchors, own.as_deref()) {
            report.findings += 1;
            tell(&what);
        }
    }
    if let Some(error) = broken {
        return Err(error.into());
    }
    if text {
        summary(&report, &remarks, asked.is_some(), printer)?;
    } else {
        whole(&report, &findings, &remarks, asked.is_some(), printer)?;
    }
    if report.findings > 0 { Err(CommandError::Reported) } else { Ok(()) }
}

/// Of a log that was written anew every line is a finding; the first are enough for a machine.
const FINDINGS_MAX: usize = 1_000;

fn told(finding: &Finding) -> String {
    let file = finding.file.display();
    match finding.line {
        Some(line) => format!("{file}:{line}: {}", finding.what),
        None => format!("{file}: {}", finding.what),
    }
}

/// The id of the host whose data directory this is.
fn own_host(args: &VerifyArgs, environment: &Environment<'_>) -> Option<String> {
    let dir = args.log.data_dir(environment).filter(|_| args.files.is_empty())?;
    Some(std::fs::read_to_string(dir.join("host-id")).ok()?.trim().to_owned())
}

/// What the store and the files do not agree on: a log of which the store knows nothing, though every host tells it each second, and
/// this host's log, where it is not there at all.
fn unknown(
    dir: &Path,
    report: &Report,
    anchors: &HashMap<String, Anchor>,
    own: Option<&str>,
) -> Vec<Finding> {
    let finding = |file: std::path::PathBuf, what: String| Finding { file, line: None, what };
    let mut found = Vec::new();
    for chain in &report.chains {
        // The first second of a host's first start is before that.
        if chain.segments > 1 && !anchors.contains_key(&chain.host) {
            let what =
                "the store knows nothing of this log: what it knew was removed, or it is another store";
            found.push(finding(dir.join(&chain.host), what.to_owned()));
        }
    }
    if let Some((host, anchor)) = own.and_then(|host| Some((host, anchors.get(host)?)))
        && !report.chains.iter().any(|chain| chain.host == host)
    {
        let what = format!("is not there, and the store knows of its line number {}", anchor.seq);
        found.push(finding(dir.join(host), what));
    }
    found
}

fn summary(
    report: &Report,
    remarks: &[String],
    asked: bool,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    for chain in &report.chains {
        printer.line(&format!(
            "host {}: {} lines in {} segments, the last is number {}, signed through {}",
            chain.host, chain.lines, chain.segments, chain.last, chain.signed_through
        ))?;
        for remark in &chain.remarks {
            printer.line(&format!("  note: {remark}"))?;
        }
    }
    for remark in remarks {
        printer.line(&format!("note: {remark}"))?;
    }
    let verdict = match report.findings {
        0 if asked => "the audit log is whole".to_owned(),
        0 => "the audit log is whole, as far as that can be known without the store".to_owned(),
        count => format!("THE AUDIT LOG IS NOT WHAT WAS WRITTEN: {count} findings"),
    };
    Ok(printer.line(&verdict)?)
}

fn whole(
    report: &Report,
    findings: &[Finding],
    remarks: &[String],
    asked: bool,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let chains = report.chains.iter().map(|chain| {
        json!({
            "Host": chain.host, "Segments": chain.segments, "Lines": chain.lines, "LastNumber": chain.last,
            "SignedThrough": chain.signed_through, "Notes": chain.remarks,
        })
    });
    let findings = findings.iter().map(|finding| {
        json!({ "File": finding.file.display().to_string(), "Line": finding.line, "What": finding.what })
    });
    printer.json(&json!({
        "Whole": report.findings == 0,
        "StoreAsked": asked,
        "FindingCount": report.findings,
        "Findings": findings.collect::<Vec<_>>(),
        "Hosts": chains.collect::<Vec<_>>(),
        "Notes": remarks,
    }))?;
    Ok(())
}

fn keys(
    args: &VerifyArgs,
    dir: Option<&Path>,
    chains: &[Chain],
    remarks: &mut Vec<String>,
) -> Result<Vec<PublicKey>, CommandError> {
    let mut keys = Vec::new();
    for given in &args.public_key {
        let text = match std::fs::read_to_string(given) {
            Ok(text) => text,
            Err(_) => given.clone(),
        };
        let key = PublicKey::parse(&text);
        keys.push(key.map_err(|error| CommandError::Failed(format!("--public-key `{given}` {error}")))?);
    }
    if !keys.is_empty() {
        return Ok(keys);
    }
    let beside = dir.map(Path::to_owned).or_else(|| Some(chains.first()?.dir.parent()?.to_owned()));
    let path = beside.unwrap_or_default().join(PUBLIC_KEY_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let path = path.display();
        CommandError::Failed(format!("no public key: `{path}`: {error}; name one with --public-key"))
    })?;
    let key = PublicKey::parse(&text);
    keys.push(key.map_err(|error| CommandError::Failed(format!("`{}` {error}", path.display())))?);
    remarks.push(format!(
        "the public key was taken from `{}`: whoever can change the log can change it too; keep a copy elsewhere and name it with \
         --public-key",
        path.display()
    ));
    Ok(keys)
}

/// What the store knows of the ends of these logs; none when it was not asked.
fn anchors(
    args: &VerifyArgs,
    environment: &Environment<'_>,
    chains: &[Chain],
    own: Option<&String>,
    remarks: &mut Vec<String>,
) -> Result<Option<HashMap<String, Anchor>>, CommandError> {
    if !args.files.is_empty() {
        return Ok(None);
    }
    let database =
        settings::database_url(*environment, args.database_url.as_deref(), None)?.map(Place::Database);
    let embedded = args.log.data_dir(environment).map(Place::Directory);
    let Some(place) = database.or(embedded) else {
        remarks.push(UNASKED.to_owned());
        return Ok(None);
    };
    let there = chains.iter().filter_map(|chain| Some(chain.dir.file_name()?.to_str()?.to_owned()));
    let hosts: Vec<String> = there.chain(own.cloned()).collect();
    let asked = place::wait(pawl_server::audit::anchors(&place, &hosts));
    Ok(match asked {
        Ok(anchors) => Some(anchors),
        Err(error) => {
            remarks.push(format!("{UNASKED} ({error})"));
            None
        }
    })
}

const UNASKED: &str = "the store was not asked how far the log goes: an end that was cut off is not noticed";
