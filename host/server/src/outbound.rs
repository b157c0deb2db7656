//! What the host asks of others over HTTP for itself: receivers of events, providers of root keys.

/// An error in words that hold no address: a path may be a secret.
pub(crate) fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
            "its certificate is not one that can be trusted, or TLS failed".to_owned()
        }
        _ => "it did not answer properly".to_owned(),
    }
}
