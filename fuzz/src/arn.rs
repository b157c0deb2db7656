//! SecretIds: names, ARNs and ARNs without their random end.

use pawl_core::arn::SecretId;

/// What is read as a SecretId says again, from its parts, exactly the text that was given.
pub fn check_arn(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let Ok(id) = SecretId::parse(text) else { return false };
    assert_eq!(SecretId::parse(text).as_ref(), Ok(&id), "one text, one meaning");
    let Some((region, account)) = &id.place else {
        assert_eq!((id.name.as_str(), id.arn.as_deref()), (text, None), "a name stands for itself");
        return true;
    };
    let partition = text.split(':').nth(1).unwrap_or_default();
    let without_end = format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{}", id.name);
    match &id.arn {
        Some(arn) => {
            assert_eq!(arn, text, "a whole ARN is kept as it was given");
            let end = text.strip_prefix(&without_end).expect("the parts are those of the text");
            let end = end.strip_prefix('-').expect("a hyphen before the random end");
            assert!(end.len() == 6 && end.bytes().all(|c| c.is_ascii_alphanumeric()), "{end}");
            // Its own name must lead to the same secret.
            let by_name = SecretId::parse(id.name.as_str()).expect("its name is a SecretId");
            assert_eq!(by_name.name, id.name);
        }
        None => assert_eq!(without_end, text, "nothing of the text is lost"),
    }
    true
}
