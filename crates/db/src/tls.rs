//! TLS to the database, with libpq's `sslmode` and `sslrootcert`.
//!
//! | `sslmode` | encrypted | the server's certificate |
//! |---|---|---|
//! | `disable` | no | |
//! | `prefer` (the default) | when the server can | not checked |
//! | `require` | always | not checked |
//! | `verify-full`, `verify-ca` | always | chain and name are checked |
//!
//! `verify-ca` is stricter than libpq's: the name is checked too. The roots are the system's, or those of the PEM file
//! `sslrootcert`; naming one has the certificate checked in `prefer` and `require` as well, so that nobody believes in a
//! check that does not happen.

use crate::{DbError, DbResult};
use percent_encoding::percent_decode_str;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use std::{fmt::Display, sync::Arc};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What a URL or a libpq key-value string asks for: the settings, and how to encrypt the connection.
pub fn parse(url: &str) -> DbResult<(Config, MakeRustlsConnect)> {
    let asked = Asked::of(url);
    let config =
        asked.rest.parse().map_err(|error: tokio_postgres::Error| match std::error::Error::source(&error) {
            Some(cause) => settings(format!("{error}: {cause}")),
            None => settings(error),
        })?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certificates = Certificates::new(&asked, &provider)?;
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(settings)?;
    let tls = tls.dangerous().with_custom_certificate_verifier(Arc::new(certificates)).with_no_client_auth();
    Ok((config, MakeRustlsConnect::new(tls)))
}

fn settings(problem: impl Display) -> DbError {
    DbError::Settings(problem.to_string())
}

/// What tokio-postgres does not know, taken out of the rest.
struct Asked {
    rest: String,
    verify: bool,
    root: Option<String>,
}

impl Asked {
    fn of(url: &str) -> Self {
        let mut asked = Self { rest: url.to_owned(), verify: false, root: None };
        let (head, mut kept, between) = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let Some((head, query)) = split_query(url) else { return asked };
            let mut takes = |pair: &str| {
                let pair =
                    pair.split_once('=').map(|(key, value)| (percent_decode_str(key), percent_decode_str(value)));
                pair.is_some_and(|(key, value)| asked.takes(&key.decode_utf8_lossy(), &value.decode_utf8_lossy()))
            };
            let kept = query.split('&').filter(|pair| !pair.is_empty() && !takes(pair)).map(str::to_owned);
            (head, kept.collect::<Vec<_>>(), "&")
        } else {
            // What cannot be read is left to tokio-postgres, which says why.
            let Some(pairs) = pairs(url) else { return asked };
            let kept = pairs.into_iter().filter(|(key, value)| !asked.takes(key, value));
            let quoted = |value: String| value.replace('\\', r"\\").replace('\'', r"\'");
            ("", kept.map(|(key, value)| format!("{key}='{}'", quoted(value))).collect(), " ")
        };
        if asked.verify {
            kept.push("sslmode=require".to_owned());
        }
        asked.rest = format!("{head}{}", kept.join(between));
        asked
    }

    fn takes(&mut self, key: &str, value: &str) -> bool {
        match (key, value) {
            ("sslmode", "verify-full" | "verify-ca") => self.verify = true,
            ("sslrootcert", root) => self.root = Some(root.to_owned()),
            _ => return false,
        }
        true
    }
}

/// Behind the question mark, as tokio-postgres finds it: one before the first @ belongs to a password.
fn split_query(url: &str) -> Option<(&str, &str)> {
    let host = url.find('@').unwrap_or_default();
    let mark = url[host..].find('?')?;
    Some(url.split_at(host + mark + 1))
}

/// The pairs of `key=value key = 'value'`, as libpq reads them; none where it could not.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let (mut pairs, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        let unquoted = value.trim_start();
        let quoted = unquoted.strip_prefix('\'');
        let (mut characters, mut value) = (quoted.unwrap_or(unquoted).chars(), String::new());
        loop {
            match characters.next() {
                Some('\\') => value.extend(characters.next()),
                Some('\'') if quoted.is_some() => break,
                Some(space) if quoted.is_none() && space.is_whitespace() => break,
                Some(character) => value.push(character),
                None if quoted.is_some() => return None,
                None => break,
            }
        }
        pairs.push((key.trim_end().to_owned(), value));
        rest = characters.as_str().trim_start();
    }
    Some(pairs)
}

/// Which certificates of a server are good enough.
#[derive(Debug)]
struct Certificates {
    provider: Arc<CryptoProvider>,
    /// None: any, as nothing but encryption was asked for.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Those of `sslrootcert`.
    named: Vec<CertificateDer<'static>>,
}

impl Certificates {
    fn new(asked: &Asked, provider: &Arc<CryptoProvider>) -> DbResult<Self> {
        let provider = Arc::clone(provider);
        if !asked.verify && asked.root.is_none() {
            return Ok(Self { provider, chain: None, named: Vec::new() });
        }
        let mut roots = RootCertStore::empty();
        let named = match asked.root.as_deref() {
            None | Some("system") => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                Vec::new()
            }
            Some(file) => {
                let unusable = |error: &dyn Display| settings(format!("sslrootcert={file}: {error}"));
                let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))?;
                let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(|error| unusable(&error))?;
                for certificate in &certificates {
                    roots.add(certificate.clone()).map_err(|error| unusable(&error))?;
                }
                certificates
            }
        };
        if roots.is_empty() {
            let place = asked.root.as_deref().unwrap_or("the system");
            return Err(settings(format!("{place} has no root certificates to check the server's with")));
        }
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        Ok(Self { provider, chain: Some(chain.map_err(settings)?), named })
    }
}

impl ServerCertVerifier for Certificates {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        if self.named.contains(end_entity) {
            // A self-signed one of `openssl req -x509` says that it is an authority's, which no chain may end with.
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        chain.verify_server_cert(end_entity, intermediates, name, ocsp, now).map_err(|error| match error {
            Error::InvalidCertificate(
                why @ (CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Other(_)),
            ) => Error::General(format!(
                "the server's certificate leads to no root that is trusted here ({why}): name the file of its root \
                     with sslrootcert=FILE"
            )),
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(url: &str) -> (String, bool, Option<String>) {
        let Asked { rest, verify, root } = Asked::of(url);
        assert!(rest.parse::<Config>().is_ok(), "{rest}");
        (rest, verify, root)
    }

    #[test]
    fn a_url_keeps_everything_that_tokio_postgres_knows() {
        let all =
            asked("postgresql://u:p?sslmode=x@h/d?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fa%20b.pem");
        let rest = "postgresql://u:p?sslmode=x@h/d?connect_timeout=3&sslmode=require";
        assert_eq!(all, (rest.to_owned(), true, Some("/a b.pem".to_owned())));
        assert_eq!(asked("postgres://h?sslmode=verify-ca").0, "postgres://h?sslmode=require");
        for same in ["postgres://h/d", "postgres://h/d?sslmode=require", "postgres:///d?host=%2Ftmp&user=a%26b"] {
            assert_eq!(asked(same), (same.to_owned(), false, None));
        }
    }

    #[test]
    fn a_key_value_string_keeps_everything_that_tokio_postgres_knows() {
        let (rest, verify, root) =
            asked(r"host=h password = 'a\' sslmode=x\\' sslmode=verify-full sslrootcert='/a b.pem'");
        assert_eq!((verify, root.as_deref()), (true, Some("/a b.pem")));
        let config: Config = rest.parse().unwrap();
        assert_eq!(config.get_password(), Some(&br"a' sslmode=x\"[..]));
        assert_eq!(config.get_ssl_mode(), tokio_postgres::config::SslMode::Require);
        for broken in ["host='h", "host", "sslmode=verify-none", "postgres://h?sslmode=allow"] {
            assert!(matches!(parse(broken), Err(DbError::Settings(_))), "{broken}");
        }
    }
}
