//! The query protocol: forms.

use pawl_api::iam::Operation as IamOperation;
use pawl_api::query::Form;
use pawl_api::sts::Operation as StsOperation;

/// A form is refused by its caller's fault, or read; whatever is asked of it afterwards has an answer, and what is absent is absent
/// however it is asked for.
pub fn check_query(data: &[u8]) -> bool {
    let form = match Form::parse(data) {
        Ok(form) => form,
        Err(error) => {
            assert!((400..500).contains(&error.code.status()), "{error}");
            assert!(!error.message.is_empty());
            return false;
        }
    };
    let action = form.get("Action");
    let known = action.is_some_and(|name| {
        IamOperation::from_action(name).is_some() || StsOperation::from_action(name).is_some()
    });
    for name in ["UserName", "Tags.member", "PolicyArns.member", "TagKeys.member", "MaxItems", "Force", ""] {
        let listed = form.list(name);
        assert!(listed.len() <= data.len(), "{name}");
        let _ = form.pairs(name, "Key", "Value");
        if form.get(name).is_none() {
            assert_eq!(form.flag(name).ok(), Some(None), "{name}");
            assert_eq!(form.number(name, 1, 1000).ok(), Some(None), "{name}");
        } else if let Ok(Some(number)) = form.number(name, 1, 1000) {
            assert!((1..=1000).contains(&number), "{name}");
        }
    }
    known
}
