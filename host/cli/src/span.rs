//! Lengths of time as people write them.

use std::time::Duration;

/// Reads `30d`, `12h`, `90s`, `1d12h`: whole numbers, each with `w`, `d`, `h`, `m` or `s`. More than nothing.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a length of time, such as 30d, 12h, 90s or 1d12h");
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(unit_at);
        let mut tail = tail.chars();
        let unit = match tail.next() {
            Some('w') => 7 * 86_400,
            Some('d') => 86_400,
            Some('h') => 3_600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = tail.as_str();
    }
    if seconds == 0 { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

/// A length of time for people: `12 ms`, `1.5 s`, `3 min 20 s`, `2 h`.
pub(crate) fn show(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{}.{} s", seconds, span.subsec_millis() / 100),
        60..3_600 => with_rest(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => with_rest(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => with_rest(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn with_rest(number: u64, unit: &str, rest: u64, rest_unit: &str) -> String {
    if rest == 0 { format!("{number} {unit}") } else { format!("{number} {unit} {rest} {rest_unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_numbers_with_units() {
        for (text, seconds) in [
            ("90s", 90),
            ("5m", 300),
            ("12h", 43_200),
            ("30d", 2_592_000),
            ("1w", 604_800),
            ("1d12h", 129_600),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in [
            "",
            "30",
            "d",
            "30 d",
            "-1d",
            "1.5h",
            "30x",
            "1d2",
            "0s",
            "99999999999999999999s",
            "9999999999999999w",
            "1é",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lengths_of_time_are_shown_with_two_units_at_most() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (59_990, "59.9 s"),
            (200_000, "3 min 20 s"),
            (7_200_000, "2 h"),
            (2_592_000_000, "30 d"),
        ] {
            assert_eq!(show(Duration::from_millis(millis)), text);
        }
    }
}
