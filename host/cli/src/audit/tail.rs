//! `pawl audit tail`.

use std::collections::VecDeque;

use pawl_core::limits;

use super::TailArgs;
use super::files::{HostRecords, Records, chains};
use super::query::show;
use crate::CommandError;
use crate::output::Printer;
use crate::settings::Environment;

/// In how many of a host's last segments the latest records are looked for.
const SEGMENTS: usize = 8;

pub(super) fn run(
    args: &TailArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let mut found = chains(&args.log.dir(environment)?)?;
    for chain in &mut found {
        let old = chain.segments.len().saturating_sub(SEGMENTS);
        chain.segments.drain(..old);
    }
    let mut latest = VecDeque::new();
    let mut head = true;
    if !args.follow {
        let mut records = Records::of(found)?;
        while let Some(shown) = records.next()? {
            latest.push_back(shown);
            if latest.len() > args.lines {
                latest.pop_front();
            }
        }
        for shown in &latest {
            show(shown, std::mem::take(&mut head), printer)?;
        }
        return Ok(());
    }
    let mut hosts: Vec<HostRecords> = found.into_iter().map(HostRecords::new).collect();
    for host in &mut hosts {
        while let Some(shown) = host.next()? {
            latest.push_back(shown);
            if latest.len() > args.lines {
                latest.pop_front();
            }
        }
    }
    for shown in &latest {
        show(shown, std::mem::take(&mut head), printer)?;
    }
    loop {
        for host in &mut hosts {
            host.look()?;
            while let Some(shown) = host.next()? {
                show(&shown, std::mem::take(&mut head), printer)?;
            }
        }
        // Nobody unparks it; Ctrl-C ends the process.
        std::thread::park_timeout(limits::AUDIT_FOLLOW_LOOK);
    }
}
