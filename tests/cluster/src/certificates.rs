//! A certificate for the runbook's host, by an authority that only these tests trust.

use crate::HOST;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// In PEM.
pub(crate) struct Certificates {
    /// Of the authority.
    pub(crate) authority: String,
    /// Of the host.
    pub(crate) certificate: String,
    /// The host's.
    pub(crate) key: String,
}

/// New ones.
pub(crate) fn make() -> Certificates {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "cluster tests");
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([HOST.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    Certificates { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}
