//! Text with wildcards and variables, compiled once and matched without backtracking over a star.

use std::borrow::Cow;

use super::context::ConditionContext;
use super::error::{Fault, excerpt};

/// What a text of a policy may hold beside itself.
#[derive(Clone, Copy)]
pub(super) struct Syntax {
    /// `*` and `?` stand for other characters.
    pub(super) wildcards: bool,
    /// `${key}` stands for a value of the request. Only in version 2012-10-17.
    pub(super) variables: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Exact,
    /// The letters a to z in either case: names of services and actions.
    Ascii,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'t> {
    Text(Cow<'t, str>),
    Variable {
        key: Box<str>,
        default: Option<Box<str>>,
    },
    /// `?`
    One,
    /// `*`, any number of them.
    Many,
}

/// A compiled text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    tokens: Box<[Token<'static>]>,
    has_variables: bool,
}

impl Pattern {
    pub(super) fn compile(text: &str, syntax: Syntax) -> Result<Self, Fault> {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars();
        let flush = |literal: &mut String, tokens: &mut Vec<Token<'static>>| {
            if !literal.is_empty() {
                tokens.push(Token::Text(Cow::Owned(std::mem::take(literal))));
            }
        };
        while let Some(c) = rest.next() {
            match c {
                '*' | '?' if syntax.wildcards => {
                    flush(&mut literal, &mut tokens);
                    match (c, tokens.last()) {
                        ('*', Some(Token::Many)) => {}
                        ('*', _) => tokens.push(Token::Many),
                        // `*?` is `?*`: what follows a star then begins with a text, which can be searched.
                        (_, Some(Token::Many)) => tokens.insert(tokens.len() - 1, Token::One),
                        _ => tokens.push(Token::One),
                    }
                }
                '$' if syntax.variables && rest.as_str().starts_with('{') => {
                    rest.next();
                    let Some((body, after)) = rest.as_str().split_once('}') else {
                        return Err(Fault::VariableUnclosed(excerpt(text)));
                    };
                    rest = after.chars();
                    if matches!(body, "*" | "?" | "$") {
                        literal.push_str(body);
                    } else {
                        flush(&mut literal, &mut tokens);
                        tokens.push(variable(body).ok_or_else(|| Fault::VariableName(excerpt(text)))?);
                    }
                }
                c => literal.push(c),
            }
        }
        flush(&mut literal, &mut tokens);
        let has_variables = tokens.iter().any(|token| matches!(token, Token::Variable { .. }));
        Ok(Self { tokens: tokens.into(), has_variables })
    }

    /// Whether the whole of `text` is what this stands for. A variable without a value stands for nothing at all: then
    /// the answer is no (AWS: "effectively null", user guide, "Policy variables with no value").
    pub(super) fn matches(&self, text: &str, case: Case, context: &ConditionContext<'_>) -> bool {
        if !self.has_variables {
            return glob(&self.tokens, text, case);
        }
        self.resolved(context).is_some_and(|tokens| glob(&tokens, text, case))
    }

    /// Whether `text` is this without regard to case, in any script. Wildcards do not count.
    pub(super) fn equals_in_any_case(&self, text: &str, context: &ConditionContext<'_>) -> bool {
        let same = |tokens: &[Token<'_>]| {
            let ours = tokens.iter().flat_map(|token| match token {
                Token::Text(text) => text.chars(),
                Token::Variable { .. } | Token::One | Token::Many => "".chars(),
            });
            ours.flat_map(char::to_lowercase).eq(text.chars().flat_map(char::to_lowercase))
        };
        if !self.has_variables {
            return same(&self.tokens);
        }
        self.resolved(context).is_some_and(|tokens| same(&tokens))
    }

    /// The text, when it is one, with nothing that stands for something else.
    pub(super) fn literal(&self) -> Option<&str> {
        match &*self.tokens {
            [] => Some(""),
            [Token::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text up to the first thing that stands for something else.
    pub(super) fn literal_start(&self) -> &str {
        match self.tokens.first() {
            Some(Token::Text(text)) => text,
            _ => "",
        }
    }

    /// Whether it stands for whatever there is.
    pub(super) fn is_everything(&self) -> bool {
        matches!(&*self.tokens, [Token::Many])
    }

    pub(super) const fn has_variables(&self) -> bool {
        self.has_variables
    }

    fn resolved<'t>(&'t self, context: &'t ConditionContext<'_>) -> Option<Vec<Token<'t>>> {
        let resolve = |token: &'t Token<'static>| match token {
            Token::Text(text) => Some(Token::Text(Cow::Borrowed(&**text))),
            Token::One => Some(Token::One),
            Token::Many => Some(Token::Many),
            Token::Variable { key, default } => context
                .single(key)
                .map(|value| value.text())
                .or_else(|| default.as_deref().map(Cow::Borrowed))
                .map(Token::Text),
        };
        self.tokens.iter().map(resolve).collect()
    }
}

/// `key`, or `key, 'default'`.
fn variable(body: &str) -> Option<Token<'static>> {
    let (key, default) = match body.split_once(',') {
        None => (body, None),
        Some((key, default)) => {
            let default = default.trim_matches(' ').strip_prefix('\'')?.strip_suffix('\'')?;
            if default.contains('\'') {
                return None;
            }
            (key, Some(default.into()))
        }
    };
    super::context::is_key(key).then(|| Token::Variable { key: key.into(), default })
}

/// Between two stars, what stands there has a fixed number of characters: the first place where it fits is the best, so
/// no star is ever tried again. The time is that of searching each part in what is left of the text.
fn glob(tokens: &[Token<'_>], text: &str, case: Case) -> bool {
    let mut parts = tokens.split(|token| matches!(token, Token::Many));
    let Some(mut rest) = parts.next().and_then(|first| strip(first, text, case)) else {
        return false;
    };
    let Some(mut part) = parts.next() else {
        return rest.is_empty();
    };
    for next in parts {
        let Some(after) = find(part, rest, case) else {
            return false;
        };
        (rest, part) = (after, next);
    }
    is_end(part, rest, case)
}

/// What is left of the text after this part, when it begins with it.
fn strip<'x>(part: &[Token<'_>], text: &'x str, case: Case) -> Option<&'x str> {
    part.iter().try_fold(text, |rest, token| match token {
        Token::Text(text) if case == Case::Exact => rest.strip_prefix(&**text),
        Token::Text(text) => {
            let (start, rest) = rest.split_at_checked(text.len())?;
            start.eq_ignore_ascii_case(text).then_some(rest)
        }
        Token::One => {
            let mut chars = rest.chars();
            chars.next().map(|_| chars.as_str())
        }
        Token::Variable { .. } | Token::Many => None,
    })
}

/// What is left of the text after the first place where this part fits.
fn find<'x>(part: &[Token<'_>], text: &'x str, case: Case) -> Option<&'x str> {
    match (part, case) {
        ([], _) => Some(text),
        ([Token::Text(wanted)], Case::Exact) => find_text(wanted, text),
        (_, Case::Exact) => find_with_gaps(part, text),
        // Names of actions are short.
        (_, Case::Ascii) => {
            let mut rest = text.chars();
            loop {
                if let Some(after) = strip(part, rest.as_str(), case) {
                    return Some(after);
                }
                rest.next()?;
            }
        }
    }
}

/// The text after the first place where the wanted one begins.
///
/// To prepare a search costs more than to find most of what is looked for, in a text as short as an ARN; so the first places
/// are just tried. The rest is left to the library, whose time is linear.
fn find_text<'x>(wanted: &str, text: &'x str) -> Option<&'x str> {
    let first = *wanted.as_bytes().first()?;
    let mut rest = text;
    for _ in 0..PLACES_TRIED {
        let at = rest.bytes().position(|c| c == first)?;
        // Within a character no text begins.
        let here = rest.get(at..)?;
        if let Some(after) = here.strip_prefix(wanted) {
            return Some(after);
        }
        let mut chars = here.chars();
        chars.next();
        rest = chars.as_str();
    }
    rest.split_once(wanted).map(|(_, after)| after)
}

/// An ARN has five colons.
const PLACES_TRIED: usize = 8;

/// The same where `?` stands between texts. Each place is tried, in a form that the processor compares many characters
/// of at a time: an author can make this the slowest part of a decision.
fn find_with_gaps<'x>(part: &[Token<'_>], text: &'x str) -> Option<&'x str> {
    let mut wanted: Vec<(u32, u32)> = Vec::new();
    for token in part {
        match token {
            Token::Text(text) => wanted.extend(text.chars().map(|c| (u32::from(c), u32::MAX))),
            Token::One => wanted.push((0, 0)),
            Token::Variable { .. } | Token::Many => return None,
        }
    }
    if wanted.is_empty() {
        return Some(text);
    }
    let (wanted, masks): (Vec<u32>, Vec<u32>) = wanted.into_iter().unzip();
    let held: Vec<u32> = text.chars().map(u32::from).collect();
    let fits = |window: &[u32]| {
        let chunks = window.chunks(LANES).zip(wanted.chunks(LANES)).zip(masks.chunks(LANES));
        chunks.into_iter().all(|((held, wanted), masks)| {
            let pairs = held.iter().zip(wanted).zip(masks);
            pairs.fold(0, |differ, ((held, wanted), mask)| differ | ((held ^ wanted) & mask)) == 0
        })
    };
    let at = held.windows(wanted.len()).position(fits)?;
    let end = text.char_indices().nth(at + wanted.len()).map_or(text.len(), |(end, _)| end);
    text.get(end..)
}

/// Characters that are compared before it is asked whether one differed.
const LANES: usize = 32;

/// Whether the text ends with this part.
fn is_end(part: &[Token<'_>], text: &str, case: Case) -> bool {
    if let ([Token::Text(end)], Case::Exact) = (part, case) {
        return text.ends_with(&**end);
    }
    let chars: usize = part
        .iter()
        .map(|token| match token {
            Token::Text(text) => text.chars().count(),
            Token::One => 1,
            Token::Variable { .. } | Token::Many => 0,
        })
        .sum();
    let Some(before) = chars.checked_sub(1) else {
        return true;
    };
    let start = text.char_indices().rev().nth(before);
    start.and_then(|(at, _)| text.get(at..)).is_some_and(|end| strip(part, end, case) == Some(""))
}
