//! An authority of the tests' own, and certificates of it.

use std::path::{Path, PathBuf};

use pawl_tests::aws;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// An authority, whose files lie in a directory.
pub(super) struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate's file.
    pub(super) file: PathBuf,
    pub(super) pem: String,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// How long a certificate lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    Running,
    Over,
}

impl Authority {
    pub(super) fn new(directory: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let pem = params.self_signed(&key).unwrap().pem();
        let file = directory.join(format!("{name}.pem"));
        std::fs::write(&file, &pem).unwrap();
        Self { directory: directory.to_owned(), issuer: Issuer::new(params, key), file, pem }
    }

    /// A certificate of names and addresses; the first is the subject's common name as well.
    pub(super) fn certify(&self, names: &[&str], term: Term) -> Pair {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, names[0].clone());
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = match term {
            Term::Running => date_time_ymd(2090, 1, 1),
            Term::Over => date_time_ymd(2021, 1, 1),
        };
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    /// Where a pair of this name lies, written there as a whole.
    pub(super) fn write(&self, name: &str, pair: &Pair) -> (PathBuf, PathBuf) {
        let place = |kind: &str| self.directory.join(format!("{name}.{kind}.pem"));
        let (certificate, key) = (place("certificate"), place("key"));
        replace(&certificate, &pair.certificate);
        replace(&key, &pair.key);
        (certificate, key)
    }
}

/// Puts a file in the place of another, as tools that renew certificates do.
pub(super) fn replace(path: &Path, text: &str) {
    let beside = path.with_extension(aws::token());
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, path).unwrap();
}
