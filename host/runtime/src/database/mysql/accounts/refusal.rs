//! What a server's error number means for a statement of this module.

use super::Refusal;
use crate::database::StatementFailure;

/// "No such table", "no such column", "no such routine": a right that is held on something that is not there.
pub(super) const NO_SUCH_TABLE: u16 = 1146;

/// Whether the server says that what is to be taken away is not there.
pub(super) const fn is_gone_already(code: u16) -> bool {
    // No such grant: of a user, on a table, on a routine; and a role that is not granted.
    matches!(code, 1141 | 1147 | 1403 | 1698 | 1962)
}

/// The failure that a refusal of a statement is, for which the login must be allowed `needs`. The server's words are not in it.
pub(super) fn failure(refusal: Refusal, needs: &str) -> StatementFailure {
    let code = match refusal {
        Refusal::Lost(why) => return StatementFailure::Lost(why),
        Refusal::Code(code) => code,
    };
    let why = match code {
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1410 | 1698 | 1959 | 1961 | 3619 | 4008 => {
            format!("this login is not allowed to: it needs {needs}")
        }
        // MySQL's master that would give away more than its own restrictions leave it.
        3880 => format!("this login's own privileges are restricted: it needs {needs}"),
        1146 | 1054 | 1305 => {
            format!(
                "there is a right on a table, column or routine that does not exist: revoke it, or make that ({needs})"
            )
        }
        1290 | 1792 | 1836 | 3100 => {
            "the server takes no such change now: it is read-only, or a setting forbids it".to_owned()
        }
        1396 => "the server could not: the account was made or dropped by somebody else meanwhile".to_owned(),
        1470 => "a name is longer than the server takes".to_owned(),
        1524 => "the server has not loaded the plugin that the other user logs in by".to_owned(),
        1819 => "the server's rules for passwords do not take it".to_owned(),
        _ => return StatementFailure::Rejected(format!("error {code}")),
    };
    StatementFailure::Rejected(format!("error {code}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_named() {
        let needs = "CREATE USER";
        let text = failure(Refusal::Code(1227), needs).to_string();
        assert!(text.contains("1227") && text.contains("needs CREATE USER"), "{text}");
        assert_eq!(failure(Refusal::Code(1064), needs), StatementFailure::Rejected("error 1064".to_owned()));
        assert_eq!(
            failure(Refusal::Lost("gone".to_owned()), needs),
            StatementFailure::Lost("gone".to_owned())
        );
    }
}
