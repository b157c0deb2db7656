//! A guest's words as one line that is safe to show.

use pawl_core::limits;

/// `text` as one line of at most `limits::LOG_LINE_BYTES_MAX` bytes. What could forge another line or reorder this one for
/// its reader becomes a question mark.
pub(crate) fn line(text: &str) -> String {
    let mut cut = String::new();
    for character in text.chars() {
        if cut.len() + character.len_utf8() > limits::LOG_LINE_BYTES_MAX {
            break;
        }
        cut.push(match character {
            '\n' | '\t' => ' ',
            hidden if hides(hidden) => '?',
            shown => shown,
        });
    }
    cut
}

fn hides(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_no_longer_than_it_may_be() {
        assert_eq!(line("two\nlines\r\u{1b}[31m \u{202e}back"), "two lines??[31m ?back");
        assert_eq!(line(&"é".repeat(10_000)).len(), limits::LOG_LINE_BYTES_MAX);
    }
}
