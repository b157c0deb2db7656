//! What a command prints, and where.

use std::io::{IsTerminal, Write};

use serde::Serialize;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    #[value(alias = "table")]
    Text,
    Json,
}

/// Where a command prints.
pub(crate) struct Printer {
    pub(crate) format: Format,
    /// Whether lines can be written over.
    pub(crate) terminal: bool,
    out: Box<dyn Write>,
}

impl Printer {
    /// Standard output.
    pub(crate) fn of_process(format: Format) -> Self {
        let out = std::io::stdout();
        Self { format, terminal: out.is_terminal(), out: Box::new(out) }
    }

    /// A line of text, whatever the format.
    pub(crate) fn line(&mut self, text: &str) -> std::io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Bytes as they are: a value on its way to a person or a pipe. A terminal gets a line feed after them.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.out.write_all(bytes)?;
        if self.terminal {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    /// A document of JSON.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> std::io::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, document)?;
        self.line("")
    }

    /// A document of JSON in one line, for streams of them.
    pub(crate) fn json_line(&mut self, document: &impl Serialize) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.out, document)?;
        self.line("")
    }

    /// A line that the next one is written over. Only for terminals.
    pub(crate) fn over(&mut self, text: &str) -> std::io::Result<()> {
        write!(self.out, "\r{text}\x1b[K")?;
        self.out.flush()
    }

    /// Takes away the line that is written over.
    pub(crate) fn clear(&mut self) -> std::io::Result<()> {
        write!(self.out, "\r\x1b[K")?;
        self.out.flush()
    }
}

/// Text of the server's, a guest's or a database's, fit for a terminal: without control characters, which could write over
/// what was said before.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Rows in columns, each as wide as its widest cell.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            widths.iter().zip(cells).map(|(&width, cell)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut header.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A printer whose output can be looked at.
    pub(crate) fn recorder(format: Format, terminal: bool) -> (Printer, Arc<Mutex<Vec<u8>>>) {
        struct Shared(Arc<Mutex<Vec<u8>>>);
        impl Write for Shared {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let written = Arc::new(Mutex::new(Vec::new()));
        (Printer { format, terminal, out: Box::new(Shared(written.clone())) }, written)
    }

    #[test]
    fn a_terminal_is_not_controlled_by_what_others_wrote() {
        assert_eq!(plain("a\x1b[2Jb\rc\nd"), "a\u{fffd}[2Jb\u{fffd}c\nd");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["prod/db".to_owned(), "x".to_owned()], vec!["a".to_owned(), String::new()]];
        assert_eq!(table(&["NAME", "ROTATES"], &rows), ["NAME     ROTATES", "prod/db  x", "a"]);
    }
}
