//! A program that lives as long as its client: one line of JSON asks, one answers.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::Reply;

#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{}: {why}", command.get_program().to_string_lossy()));
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    pub(crate) fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").and_then(|()| self.input.flush()).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: the client answered `{line}`"))
    }

    pub(crate) fn call(&mut self, region: &str, operation: &str, input: &Value) -> Reply {
        let answer = self.ask(&json!({"region": region, "operation": operation, "input": input}));
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        if let Some(why) = answer["unsayable"].as_str() {
            return Reply::Unsayable(why.to_owned());
        }
        if answer["code"].is_string() {
            let status = answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
            return Reply::Failure { code: text("code"), message: text("message"), status };
        }
        Reply::Success(answer["answer"].clone())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
