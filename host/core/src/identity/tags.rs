//! Tags of users, roles and policies. Their keys do not differ by case alone (AWS).

use super::error::IdentityError;
use crate::limits;
use crate::secret::Tag;

/// Sets tags; one whose key is there already is replaced.
///
/// # Errors
/// When a key comes twice, or there would be too many.
pub fn put_tags(held: &mut Vec<Tag>, tags: &[Tag], what: &'static str) -> Result<(), IdentityError> {
    for (index, tag) in tags.iter().enumerate() {
        if tags.iter().take(index).any(|other| other.key.eq_ignore_ascii_case(&tag.key)) {
            return Err(IdentityError::TwiceTagged);
        }
    }
    for tag in tags {
        match held.iter_mut().find(|other| other.key.eq_ignore_ascii_case(&tag.key)) {
            Some(other) => other.clone_from(tag),
            None => held.push(tag.clone()),
        }
    }
    let most = limits::IDENTITY_TAGS_MAX;
    if held.len() > most { Err(IdentityError::Quota { what, most }) } else { Ok(()) }
}

/// Takes tags away; a key that is not there is no mistake.
pub fn take_tags(held: &mut Vec<Tag>, keys: &[&str]) {
    held.retain(|tag| !keys.iter().any(|key| key.eq_ignore_ascii_case(&tag.key)));
}
