//! `pawl function logs`: what a function writes, and what the host says of each step that it ran.

use std::time::Duration;

use pawl_api::pawl::{FunctionLogLine, ListFunctionLogsRequest, ListFunctionLogsResponse};
use pawl_core::function::FunctionName;
use pawl_core::limits;

use crate::CommandError;
use crate::client::{Client, ClientError};
use crate::output::{Format, Printer, plain};

/// Where lines come from.
trait Feed {
    fn page(&mut self, request: &ListFunctionLogsRequest) -> Result<ListFunctionLogsResponse, ClientError>;

    fn pause(&mut self, time: Duration);
}

impl Feed for &Client {
    fn page(&mut self, request: &ListFunctionLogsRequest) -> Result<ListFunctionLogsResponse, ClientError> {
        self.call(request)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "Ctrl-C ends the process, and nothing has to be put in order"
    )]
    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Prints the lines that are kept; with `follow` those to come as well, until somebody ends it.
pub(super) fn run(
    mut client: &Client,
    name: &FunctionName,
    follow: bool,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    read(&mut client, name, follow, printer)
}

fn read(
    feed: &mut dyn Feed,
    name: &FunctionName,
    follow: bool,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let mut request =
        ListFunctionLogsRequest { function_name: name.to_string(), ..ListFunctionLogsRequest::default() };
    let mut silent = false;
    loop {
        let page = match feed.page(&request) {
            Ok(page) => page,
            Err(error) if follow && error.is_passing() => {
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
        if page.missed == Some(true) && request.after.is_some() && printer.format == Format::Text {
            printer.line("(lines in between are not kept any more)")?;
        }
        for line in &page.lines {
            match printer.format {
                Format::Json => printer.json_line(line)?,
                Format::Text => printer.line(&shown(line))?,
            }
        }
        let ended = page.lines.is_empty();
        request.after = Some(page.after);
        if ended && !follow {
            return Ok(());
        }
        request.wait_seconds = follow.then(|| i64::from(limits::EVENTS_WAIT_SECONDS_MAX));
        if ended {
            // It waited, or is about to stop; it is not asked again at once.
            feed.pause(limits::ROTATION_POLL);
        }
    }
}

fn shown(line: &FunctionLogLine) -> String {
    let FunctionLogLine { time, version, step, level, message, .. } = line;
    plain(&format!("{time}  {version}  {step:<12}  {level}: {message}")).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::output::tests::recorder;

    struct Script(VecDeque<Result<ListFunctionLogsResponse, ClientError>>, Vec<ListFunctionLogsRequest>);

    impl Feed for Script {
        fn page(
            &mut self,
            request: &ListFunctionLogsRequest,
        ) -> Result<ListFunctionLogsResponse, ClientError> {
            let after = request.after.clone();
            let wait_seconds = request.wait_seconds;
            let function_name = request.function_name.clone();
            self.1.push(ListFunctionLogsRequest { function_name, after, wait_seconds, limit: None });
            self.0.pop_front().unwrap_or(Err(ClientError::NoCredentials))
        }

        fn pause(&mut self, _: Duration) {}
    }

    fn page(after: &str, messages: &[&str], missed: Option<bool>) -> ListFunctionLogsResponse {
        let line = |message: &&str| FunctionLogLine {
            version: "3".to_owned(),
            step: "setSecret".to_owned(),
            level: "info".to_owned(),
            message: (*message).to_owned(),
            ..Default::default()
        };
        let lines = messages.iter().map(line).collect();
        ListFunctionLogsResponse { lines, after: after.to_owned(), missed, ..Default::default() }
    }

    fn text(script: &mut Script, follow: bool) -> (String, Result<(), CommandError>) {
        let (mut printer, written) = recorder(Format::Text, false);
        let ended = read(script, &"shop".parse().unwrap(), follow, &mut printer);
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        (text, ended)
    }

    #[test]
    fn all_that_is_kept_is_printed_and_then_it_ends() {
        let pages = [Ok(page("a", &["one\x1b[2J", "two"], Some(true))), Ok(page("a", &[], None))];
        let mut script = Script(pages.into(), Vec::new());
        let (text, ended) = text(&mut script, false);
        ended.unwrap();
        assert!(text.contains("  3  setSecret     info: one\u{fffd}[2J\n"), "{text}");
        assert_eq!(text.lines().count(), 2, "what came before the first look is not missed: {text}");
        assert_eq!(script.1[1].after.as_deref(), Some("a"));
        assert_eq!(script.1[1].wait_seconds, None);
    }

    #[test]
    fn following_outlives_a_server_and_says_what_it_missed() {
        let gone = ClientError::Unreachable { url: "u".to_owned(), why: "no connection".to_owned() };
        let pages = [
            Ok(page("a", &["one"], None)),
            Err(gone),
            Ok(page("b", &["two"], Some(true))),
            Ok(page("b", &[], None)),
        ];
        let mut script = Script(pages.into(), Vec::new());
        let (text, ended) = text(&mut script, true);
        assert!(ended.is_err(), "the script's end");
        assert!(text.contains("trying again") && text.contains("not kept any more"), "{text}");
        assert!(script.1[1].wait_seconds.is_some());
    }
}
