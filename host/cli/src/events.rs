//! `pawl events`: what happened to secrets, and with `--follow` what happens.

use std::time::Duration;

use pawl_api::pawl::{Event, ListEventsRequest, ListEventsResponse};
use pawl_core::limits;

use crate::arguments::EventsArgs;
use crate::client::{Client, ClientError};
use crate::output::{Format, Printer, plain};
use crate::settings::Environment;
use crate::{CommandError, connect};

/// Prints events; with `--follow` until somebody ends it.
pub(crate) fn run(
    args: &EventsArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    read(&mut ServerFeed(&client), args, printer)
}

/// Where events come from.
trait Feed {
    fn page(&mut self, request: &ListEventsRequest) -> Result<ListEventsResponse, ClientError>;

    fn pause(&mut self, time: Duration);
}

struct ServerFeed<'a>(&'a Client);

impl Feed for ServerFeed<'_> {
    fn page(&mut self, request: &ListEventsRequest) -> Result<ListEventsResponse, ClientError> {
        self.0.call(request)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "Ctrl-C ends the process, and nothing has to be put in order"
    )]
    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
}

fn read(feed: &mut dyn Feed, args: &EventsArgs, printer: &mut Printer) -> Result<(), CommandError> {
    let mut request = ListEventsRequest {
        after: Some(i64::MAX),
        types: (!args.types.is_empty()).then(|| args.types.clone()),
        secret_id: args.secret.clone(),
        ..Default::default()
    };
    // Beyond the end the answer says where that is.
    let mut after = match args.after {
        Some(after) => after,
        None => {
            let last = feed.page(&request)?.last_sequence;
            if args.follow { last } else { last.saturating_sub(u64::from(limits::EVENTS_PAGE_DEFAULT)) }
        }
    };
    request.wait_seconds = args.follow.then(|| i64::from(limits::EVENTS_WAIT_SECONDS_MAX));
    let mut silent = false;
    loop {
        request.after = i64::try_from(after).ok();
        let page = match feed.page(&request) {
            Ok(page) => page,
            // A server that is being restarted has everything when it is back.
            Err(error) if args.follow && error.is_passing() => {
                if !silent && printer.format == Format::Text {
                    printer.line(&format!("the server does not answer, trying again: {error}"))?;
                }
                silent = true;
                feed.pause(limits::EVENTS_RETRY);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        silent = false;
        if let Some(through) = page.forgotten_through.filter(|_| printer.format == Format::Text)
            && args.after.is_some()
        {
            printer.line(&format!("(events up to {through} are no longer kept)"))?;
        }
        for event in &page.events {
            match printer.format {
                Format::Json => printer.json_line(event)?,
                Format::Text => printer.line(&line(event))?,
            }
        }
        let went_on = page.last_sequence != after;
        // After a restoration the end may be before the place where this one was.
        after = page.last_sequence;
        if !went_on {
            if !args.follow {
                return Ok(());
            }
            if page.events.is_empty() {
                // It waited, or is about to stop; it is not asked again at once.
                feed.pause(limits::ROTATION_POLL);
            }
        }
    }
}

fn line(event: &Event) -> String {
    let version =
        event.version_id.as_deref().map(|version| format!(" version {version}")).unwrap_or_default();
    let step = event.step.as_deref().map(|step| format!(" at {step}")).unwrap_or_default();
    let reason = event.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let next = match event.retried {
        Some(true) => " (it is tried again)",
        Some(false) => " (a person must act)",
        None => "",
    };
    let Event { sequence, time, r#type, secret_name, .. } = event;
    plain(&format!("{sequence}  {time}  {type}  {secret_name}{version}{step}{reason}{next}"))
        .replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use clap::Parser;
    use pawl_core::world::Timestamp;

    use super::*;
    use crate::output::tests::recorder;

    /// After which number, and with how many seconds to wait.
    type Asked = (Option<i64>, Option<i64>);

    struct Script {
        pages: VecDeque<Result<ListEventsResponse, ClientError>>,
        asked: Vec<Asked>,
    }

    impl Feed for Script {
        fn page(&mut self, request: &ListEventsRequest) -> Result<ListEventsResponse, ClientError> {
            self.asked.push((request.after, request.wait_seconds));
            let end =
                || Err(ClientError::Refused { code: "End".to_owned(), message: "of the script".to_owned() });
            self.pages.pop_front().unwrap_or_else(end)
        }

        fn pause(&mut self, _time: Duration) {}
    }

    fn event(sequence: u64) -> Event {
        Event {
            sequence,
            event_id: "id".to_owned(),
            r#type: "RotationFailed".to_owned(),
            time: Timestamp::from_millis(1_785_000_000_000).into(),
            secret_name: "prod/db".to_owned(),
            version_id: Some("v2".to_owned()),
            step: Some("setSecret".to_owned()),
            reason: Some("down\x1b[2J".to_owned()),
            retried: Some(true),
            ..Default::default()
        }
    }

    fn page(last_sequence: u64, events: &[u64]) -> Result<ListEventsResponse, ClientError> {
        let events = events.iter().map(|number| event(*number)).collect();
        Ok(ListEventsResponse { events, last_sequence, forgotten_through: None })
    }

    /// What is printed, and from where it was asked.
    fn print(line: &str, pages: Vec<Result<ListEventsResponse, ClientError>>) -> (String, Vec<Asked>, bool) {
        let cli = crate::arguments::Cli::try_parse_from(line.split(' ')).unwrap();
        let crate::arguments::Command::Events(args) = cli.command else { panic!("not events") };
        let (mut printer, written) = recorder(cli.output, false);
        let mut script = Script { pages: pages.into(), asked: Vec::new() };
        let done = read(&mut script, &args, &mut printer).is_ok();
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        (text, script.asked, done)
    }

    #[test]
    fn the_latest_are_printed_to_the_end() {
        let (text, asked, done) =
            print("pawl events", vec![page(250, &[]), page(200, &[151]), page(250, &[250]), page(250, &[])]);
        assert!(done);
        let expected =
            "RotationFailed  prod/db version v2 at setSecret: down\u{fffd}[2J (it is tried again)\n";
        assert_eq!(
            text,
            format!("151  2026-07-25T17:20:00.000Z  {expected}250  2026-07-25T17:20:00.000Z  {expected}")
        );
        assert_eq!(asked, [(Some(i64::MAX), None), (Some(150), None), (Some(200), None), (Some(250), None)]);
    }

    #[test]
    fn who_follows_waits_through_a_restart() {
        let gone = || Err(ClientError::Unreachable { url: "http://h".to_owned(), why: "refused".to_owned() });
        let pages = || {
            let forgotten = ListEventsResponse { forgotten_through: Some(6), ..page(7, &[7]).unwrap() };
            vec![Ok(forgotten), page(7, &[]), gone(), gone(), page(8, &[8])]
        };
        let (text, asked, done) = print("pawl events --follow --after 3 --output json", pages());
        assert!(!done, "only the script's end ends it");
        let numbers: Vec<u64> =
            text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().sequence).collect();
        assert_eq!(numbers, [7, 8]);
        let wait = Some(20);
        assert_eq!(asked, [3, 7, 7, 7, 7, 8].map(|after| (Some(after), wait)));
        let (text, ..) = print("pawl events --follow --after 3", pages());
        assert_eq!(text.matches("does not answer").count(), 1, "{text}");
        assert!(text.starts_with("(events up to 6 are no longer kept)\n"), "{text}");
    }
}
