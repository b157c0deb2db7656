//! `cargo xtask bench`: what Pawl costs, as ratios to what the same machine does without it in the same run.
//!
//! Prints a table for docs/measurements.md. Nothing here is a test: a busy machine is no defect of the product.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a bench: whatever fails here ends it, and its numbers are for people"
)]

mod attack;
mod audit;
mod floor;
mod hosts;
mod instance;
mod load;
mod loader;
mod machine;
mod overhead;
mod pages;
mod policies;
mod read;
mod rotation;
mod size;
mod start;
mod stub;
mod usage;
mod write;

/// One line of the table.
struct Row {
    what: String,
    figure: String,
    hold: &'static str,
}

impl Row {
    fn new(what: impl Into<String>, figure: impl Into<String>, hold: &'static str) -> Self {
        Self { what: what.into(), figure: figure.into(), hold }
    }
}

/// The middle of several measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

type Bench = fn() -> Vec<Row>;

const BENCHES: [(&str, Bench); 11] = [
    ("start", start::run),
    ("read", read::run),
    ("audit", audit::run),
    ("policies", policies::run),
    ("write", write::run),
    ("overhead", overhead::run),
    ("rotation", rotation::run),
    ("hosts", hosts::run),
    ("instance", instance::run_bench),
    ("attack", attack::run),
    ("size", size::run),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, file] = arguments.as_slice()
        && mode == floor::MODE
    {
        return floor::serve(std::path::Path::new(file));
    }
    // Cargo's own arguments begin with a dash.
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let mut rows = Vec::new();
    for (name, bench) in BENCHES {
        if wanted.is_empty() || wanted.iter().any(|word| *word == name) {
            eprintln!("measuring: {name}");
            rows.extend(bench());
        }
    }
    println!("{}\n", machine::facts());
    println!("| what | measured | to hold |\n|---|---|---|");
    for Row { what, figure, hold } in rows {
        println!("| {what} | {figure} | {hold} |");
    }
}
