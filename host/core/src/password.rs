//! Passwords by GetRandomPassword's rules.

use std::iter;

use zeroize::Zeroizing;

use crate::function::Environment;
use crate::limits;
use crate::value::SecretBytes;
use crate::world::Rng;

const LOWERCASE: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMBERS: &[u8] = b"0123456789";
const PUNCTUATION: &[u8] = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// What a password is made of: the parameters of AWS's GetRandomPassword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    /// Characters, 1 to 4,096.
    pub length: u32,
    /// Characters that must not occur.
    pub exclude_characters: String,
    /// No digits.
    pub exclude_numbers: bool,
    /// None of the 32 punctuation characters of ASCII.
    pub exclude_punctuation: bool,
    /// No upper-case letters.
    pub exclude_uppercase: bool,
    /// No lower-case letters.
    pub exclude_lowercase: bool,
    /// The space may occur; it is never required.
    pub include_space: bool,
    /// At least one character of each type that may occur.
    pub require_each_included_type: bool,
}

impl Default for PasswordRules {
    fn default() -> Self {
        Self {
            length: limits::PASSWORD_CHARS_DEFAULT,
            exclude_characters: String::new(),
            exclude_numbers: false,
            exclude_punctuation: false,
            exclude_uppercase: false,
            exclude_lowercase: false,
            include_space: false,
            require_each_included_type: true,
        }
    }
}

/// Why there is no password by these rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Shorter than one character or longer than AWS allows.
    #[error("a password has 1 to {max} characters, not {0}", max = limits::PASSWORD_CHARS_MAX)]
    Length(u32),
    /// There are more types to require than characters.
    #[error("a password of {length} characters is too short for one of each of the {types} required types")]
    TooShort {
        /// The length asked for.
        length: u32,
        /// How many types must occur.
        types: usize,
    },
    /// Every character is excluded.
    #[error("these rules exclude every character")]
    NothingLeft,
    /// A variable of the function's environment makes no sense.
    #[error("the function's environment variable {0} is not a number from 1 to {max}", max = limits::PASSWORD_CHARS_MAX)]
    Environment(&'static str),
}

impl PasswordRules {
    /// The rules that a function's environment sets, AWS's defaults for the rest.
    ///
    /// # Errors
    /// When `PASSWORD_LENGTH` is no length.
    pub fn from_environment(environment: &Environment) -> Result<Self, PasswordError> {
        Self::default().overridden_by(environment)
    }

    /// These rules, with what a function's environment sets instead, by the seven variables and the reading of AWS's own rotation
    /// functions: a boolean is true when it is `true`, `1`, `y` or `yes` in any case, and false otherwise.
    ///
    /// # Errors
    /// When `PASSWORD_LENGTH` is no length.
    pub fn overridden_by(mut self, environment: &Environment) -> Result<Self, PasswordError> {
        const LENGTH: &str = "PASSWORD_LENGTH";
        let flag = |name: &str, asked: bool| {
            environment.get(name).map_or(asked, |text| {
                matches!(text.to_ascii_lowercase().as_str(), "true" | "1" | "y" | "yes")
            })
        };
        if let Some(text) = environment.get(LENGTH) {
            self.length = text
                .trim()
                .parse()
                .ok()
                .filter(|length| (1..=limits::PASSWORD_CHARS_MAX).contains(length))
                .ok_or(PasswordError::Environment(LENGTH))?;
        }
        if let Some(characters) = environment.get("EXCLUDE_CHARACTERS") {
            self.exclude_characters.clone_from(characters);
        }
        self.exclude_numbers = flag("EXCLUDE_NUMBERS", self.exclude_numbers);
        self.exclude_punctuation = flag("EXCLUDE_PUNCTUATION", self.exclude_punctuation);
        self.exclude_uppercase = flag("EXCLUDE_UPPERCASE", self.exclude_uppercase);
        self.exclude_lowercase = flag("EXCLUDE_LOWERCASE", self.exclude_lowercase);
        self.require_each_included_type = flag("REQUIRE_EACH_INCLUDED_TYPE", self.require_each_included_type);
        Ok(self)
    }

    /// The characters of each type that may occur, without the types of which nothing is left, and the space.
    fn alphabets(&self) -> (Vec<Vec<u8>>, Option<u8>) {
        let mut excluded = [false; 128];
        for character in self.exclude_characters.bytes() {
            if let Some(slot) = excluded.get_mut(usize::from(character)) {
                *slot = true;
            }
        }
        let allowed = |c: u8| !excluded.get(usize::from(c)).copied().unwrap_or(true);
        let types = [
            (LOWERCASE, self.exclude_lowercase),
            (UPPERCASE, self.exclude_uppercase),
            (NUMBERS, self.exclude_numbers),
            (PUNCTUATION, self.exclude_punctuation),
        ];
        let types = types
            .into_iter()
            .filter(|(_, out)| !out)
            .map(|(all, _)| all.iter().copied().filter(|c| allowed(*c)).collect::<Vec<u8>>())
            .filter(|left| !left.is_empty())
            .collect();
        (types, Some(b' ').filter(|space| self.include_space && allowed(*space)))
    }

    /// Checks the rules and gives the required types and everything that may occur.
    fn parts(&self) -> Result<(Vec<Vec<u8>>, Vec<u8>), PasswordError> {
        if !(1..=limits::PASSWORD_CHARS_MAX).contains(&self.length) {
            return Err(PasswordError::Length(self.length));
        }
        let (types, space) = self.alphabets();
        let all: Vec<u8> = types.iter().flatten().copied().chain(space).collect();
        if all.is_empty() {
            return Err(PasswordError::NothingLeft);
        }
        let required = if self.require_each_included_type { types } else { Vec::new() };
        if self.length as usize >= required.len() {
            Ok((required, all))
        } else {
            Err(PasswordError::TooShort { length: self.length, types: required.len() })
        }
    }
}

/// A new password: every place drawn from all that may occur, but for one place for each required type, all shuffled.
///
/// # Errors
/// When there is no password by these rules.
pub fn generate(rules: &PasswordRules, rng: &dyn Rng) -> Result<SecretBytes, PasswordError> {
    let (required, all) = rules.parts()?;
    // With its whole capacity at once: growing would leave copies behind.
    let mut password = Zeroizing::new(Vec::with_capacity(rules.length as usize));
    let places = required.iter().chain(iter::repeat(&all)).take(rules.length as usize);
    for alphabet in places {
        password.push(drawn(alphabet, rng));
    }
    // Fisher and Yates, from the end.
    for last in (1..rules.length).rev() {
        password.swap(last as usize, rng.below(last + 1) as usize);
    }
    Ok(SecretBytes::new(std::mem::take(&mut *password)))
}

/// One of `alphabet`, each equally likely.
fn drawn(alphabet: &[u8], rng: &dyn Rng) -> u8 {
    let count = u32::try_from(alphabet.len()).unwrap_or(u32::MAX);
    // INVARIANT: no alphabet is empty (`parts`), so that there is always one.
    alphabet.get(rng.below(count) as usize).copied().unwrap_or(b'?')
}

/// A lower bound of the entropy of such a password, in bits: what the draws hold, nothing for the shuffling.
///
/// # Errors
/// When there is no password by these rules.
pub fn entropy_bits(rules: &PasswordRules) -> Result<f64, PasswordError> {
    let (required, all) = rules.parts()?;
    let bits = |alphabet: &[u8]| f64::from(u32::try_from(alphabet.len()).unwrap_or(u32::MAX)).log2();
    let free = rules.length.saturating_sub(u32::try_from(required.len()).unwrap_or(u32::MAX));
    Ok(f64::from(free) * bits(&all) + required.iter().map(|alphabet| bits(alphabet)).sum::<f64>())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// Xorshift: good enough to see a skewed draw, and the same in every run.
    struct Seeded(Mutex<u64>);

    impl Seeded {
        fn new(seed: u64) -> Self {
            Self(Mutex::new(seed | 1))
        }
    }

    impl Rng for Seeded {
        fn fill(&self, bytes: &mut [u8]) {
            let mut state = self.0.lock().unwrap();
            for byte in bytes {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                *byte = state.to_be_bytes()[3];
            }
        }
    }

    fn made(rules: &PasswordRules, seed: u64) -> String {
        String::from_utf8(generate(rules, &Seeded::new(seed)).unwrap().expose().to_vec()).unwrap()
    }

    #[test]
    fn by_default_a_password_has_32_characters_of_all_four_types() {
        assert_eq!(PUNCTUATION.len(), 32);
        for seed in 1..200 {
            let password = made(&PasswordRules::default(), seed);
            assert_eq!(password.len(), 32);
            assert!(!password.contains(' '));
            for alphabet in [LOWERCASE, UPPERCASE, NUMBERS, PUNCTUATION] {
                assert!(password.bytes().any(|c| alphabet.contains(&c)), "{seed}");
            }
        }
    }

    #[test]
    fn rules_without_a_password_say_which_rule() {
        let error = |rules| generate(&rules, &Seeded::new(7)).unwrap_err();
        let rules = PasswordRules::default();
        assert_eq!(error(PasswordRules { length: 0, ..PasswordRules::default() }), PasswordError::Length(0));
        assert_eq!(error(PasswordRules { length: 4_097, ..rules.clone() }), PasswordError::Length(4_097));
        assert_eq!(
            error(PasswordRules { length: 3, ..rules.clone() }),
            PasswordError::TooShort { length: 3, types: 4 }
        );
        let none = PasswordRules {
            exclude_numbers: true,
            exclude_punctuation: true,
            exclude_uppercase: true,
            exclude_characters: "abcdefghijklmnopqrstuvwxyz".to_owned(),
            ..PasswordRules::default()
        };
        assert_eq!(error(none.clone()), PasswordError::NothingLeft);
        let space = PasswordRules { include_space: true, length: 3, ..none };
        assert_eq!(made(&space, 1), "   ");
        assert_eq!(made(&PasswordRules { length: 4, ..rules }, 3).len(), 4);
    }

    #[test]
    fn the_environment_wins_over_what_is_asked() {
        let asked = PasswordRules { length: 20, exclude_numbers: true, ..PasswordRules::default() };
        let environment = |pairs: &[(&str, &str)]| -> Environment {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        assert_eq!(asked.clone().overridden_by(&environment(&[])), Ok(asked.clone()));
        let set = environment(&[
            ("PASSWORD_LENGTH", " 40 "),
            ("EXCLUDE_CHARACTERS", "/@"),
            ("EXCLUDE_NUMBERS", "no"),
            ("EXCLUDE_PUNCTUATION", "YES"),
            ("EXCLUDE_UPPERCASE", "1"),
            ("EXCLUDE_LOWERCASE", "y"),
            ("REQUIRE_EACH_INCLUDED_TYPE", "false"),
        ]);
        let rules = asked.overridden_by(&set).unwrap();
        assert_eq!((rules.length, rules.exclude_characters.as_str()), (40, "/@"));
        assert!(!rules.exclude_numbers && rules.exclude_punctuation && rules.exclude_uppercase);
        assert!(rules.exclude_lowercase && !rules.require_each_included_type);
        for bad in ["", "many", "0", "-1", "4097", "32.0"] {
            let error =
                PasswordRules::from_environment(&environment(&[("PASSWORD_LENGTH", bad)])).unwrap_err();
            assert!(error.to_string().contains("PASSWORD_LENGTH"), "{bad}: {error}");
        }
    }

    #[test]
    fn the_entropy_is_counted_from_below() {
        let bits = |rules: PasswordRules| entropy_bits(&rules).unwrap();
        let digits = PasswordRules {
            exclude_punctuation: true,
            exclude_uppercase: true,
            exclude_lowercase: true,
            length: 10,
            ..PasswordRules::default()
        };
        assert!((bits(digits) - 10.0 * 10_f64.log2()).abs() < 1e-9);
        assert!(bits(PasswordRules::default()) > 190.0);
        assert!(
            bits(PasswordRules { length: 8, ..PasswordRules::default() }) < limits::PASSWORD_ENTROPY_BITS_MIN
        );
    }

    #[test]
    fn every_place_and_every_character_is_drawn_evenly() {
        let rules = PasswordRules {
            length: 8,
            exclude_punctuation: true,
            exclude_uppercase: true,
            exclude_lowercase: true,
            exclude_characters: "89".to_owned(),
            ..PasswordRules::default()
        };
        let rng = Seeded::new(0x9e37_79b9_7f4a_7c15);
        let mut counts = [[0_u32; 8]; 8];
        for _ in 0..8_000 {
            let password = generate(&rules, &rng).unwrap();
            for (place, character) in password.expose().iter().enumerate() {
                counts[place][usize::from(character - b'0')] += 1;
            }
        }
        // 1,000 expected in each; six standard deviations are 178.
        for count in counts.iter().flatten() {
            assert!((820..=1_180).contains(count), "{counts:?}");
        }
        // The required characters are not always at the front.
        let firsts: std::collections::BTreeSet<u8> =
            (1..300).map(|seed| made(&PasswordRules::default(), seed * 7_919).as_bytes()[0]).collect();
        assert!(firsts.iter().any(u8::is_ascii_punctuation) && firsts.iter().any(u8::is_ascii_digit));
    }

    proptest! {
        #[test]
        fn a_password_keeps_every_rule(
            length in 1_u32..80,
            excluded in "[ -~é]{0,40}",
            flags in prop::array::uniform6(any::<bool>()),
            seed in any::<u64>(),
        ) {
            let [numbers, punctuation, uppercase, lowercase, space, require] = flags;
            let rules = PasswordRules {
                length,
                exclude_characters: excluded,
                exclude_numbers: numbers,
                exclude_punctuation: punctuation,
                exclude_uppercase: uppercase,
                exclude_lowercase: lowercase,
                include_space: space,
                require_each_included_type: require,
            };
            let Ok(password) = generate(&rules, &Seeded::new(seed)) else {
                prop_assert!(entropy_bits(&rules).is_err());
                return Ok(());
            };
            let password = password.expose();
            prop_assert_eq!(password.len(), length as usize);
            let out = |alphabet: &[u8]| !password.iter().any(|c| alphabet.contains(c));
            prop_assert!(out(rules.exclude_characters.as_bytes()));
            prop_assert!((!numbers || out(NUMBERS)) && (!punctuation || out(PUNCTUATION)));
            prop_assert!((!uppercase || out(UPPERCASE)) && (!lowercase || out(LOWERCASE)));
            prop_assert!(space || out(b" "));
            if require {
                for left in rules.alphabets().0 {
                    prop_assert!(!out(&left));
                }
            }
            prop_assert!(entropy_bits(&rules).is_ok());
        }
    }
}
