//! A registry of images, asked over HTTP for what `docker` has no command for, with the login that docker keeps.

use docker_credential::{DockerCredential, get_credential};
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol},
    errors::{OciDistributionError as Trouble, OciErrorCode},
    secrets::RegistryAuth,
};
use serde_json::Value;
use std::{collections::BTreeSet, error::Error, iter, net::IpAddr, time::Duration};
use tokio::time::timeout;

/// For all that is asked in one go.
const LIMIT: Duration = Duration::from_secs(10);
/// docker keeps the login for Docker Hub under this name.
const HUB: &str = "https://index.docker.io/v1/";
/// What it is called where no registry is named.
const HUB_HOST: &str = "docker.io";

/// An image that a registry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// `sha256:…`
    pub(crate) digest: String,
    /// The label `org.opencontainers.image.revision`; none: it has none.
    pub(crate) revision: Option<String>,
}

/// Every tag of an image; none when the registry does not know the image. An error is a line.
pub(crate) async fn tags(image: &str) -> Result<BTreeSet<String>, String> {
    let reference = reference(image)?;
    within(&reference, async {
        let (client, login) = (client(&reference), login(&reference));
        let mut all = BTreeSet::new();
        loop {
            // Some answer in pages, and some everything to whatever is asked.
            let last = all.last().cloned();
            let page = match client.list_tags(&reference, &login, None, last.as_deref()).await {
                Err(trouble) if is_absence(&trouble) => break,
                page => page?.tags,
            };
            let before = all.len();
            all.extend(page);
            if all.len() == before {
                break;
            }
        }
        Ok(all)
    })
    .await
}

/// An image with its tag, when the registry has it. An error is a line.
pub(crate) async fn image(image: &str) -> Result<Option<Published>, String> {
    let reference = reference(image)?;
    within(&reference, async {
        let (client, login) = (client(&reference), login(&reference));
        match client.pull_manifest_and_config_and_list_digest(&reference, &login).await {
            Err(trouble) if is_absence(&trouble) => Ok(None),
            Err(trouble) => Err(trouble),
            Ok((_, digest, config, list)) => {
                let config: Value = serde_json::from_str(&config)?;
                let label = &config["config"]["Labels"]["org.opencontainers.image.revision"];
                Ok(Some(Published { digest: list.unwrap_or(digest), revision: label.as_str().map(str::to_owned) }))
            }
        }
    })
    .await
}

async fn within<T>(reference: &Reference, asked: impl Future<Output = Result<T, Trouble>>) -> Result<T, String> {
    let (registry, repository) = (reference.registry(), reference.repository());
    match timeout(LIMIT, asked).await {
        Ok(Err(Trouble::UnauthorizedError { .. } | Trouble::AuthenticationFailure(_))) => {
            let host = if registry == HUB_HOST { String::new() } else { format!(" {registry}") };
            Err(format!("{registry} tells nothing of {repository} to this login: docker login{host}"))
        }
        Ok(answer) => {
            answer.map_err(|trouble| format!("{registry} does not tell of {repository}: {}", chain(&trouble)))
        }
        Err(_) => Err(format!("{registry} does not answer within {} s", LIMIT.as_secs())),
    }
}

fn reference(image: &str) -> Result<Reference, String> {
    image.parse().map_err(|error| format!("{image} is no name of an image: {error}"))
}

/// Without TLS only on this machine, as docker does it.
fn client(reference: &Reference) -> Client {
    let host = reference.resolve_registry();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_here = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let protocol = if is_here { ClientProtocol::HttpsExcept(vec![host.to_owned()]) } else { ClientProtocol::Https };
    Client::new(ClientConfig { protocol, ..ClientConfig::default() })
}

fn login(reference: &Reference) -> RegistryAuth {
    let key = if reference.registry() == HUB_HOST { HUB } else { reference.registry() };
    match get_credential(key) {
        Ok(DockerCredential::UsernamePassword(user, password)) => RegistryAuth::Basic(user, password),
        Ok(DockerCredential::IdentityToken(token)) => RegistryAuth::Bearer(token),
        Err(_) => RegistryAuth::Anonymous,
    }
}

/// That there is no such image is an answer.
fn is_absence(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::ImageManifestNotFoundError(_) | Trouble::ServerError { code: 404, .. } => true,
        Trouble::RegistryError { envelope, .. } => {
            let absent = |code: &OciErrorCode| {
                matches!(code, OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound)
            };
            envelope.errors.iter().any(|error| absent(&error.code))
        }
        _ => false,
    }
}

/// An error with what led to it: the outermost alone says little.
fn chain(error: &(dyn Error + 'static)) -> String {
    let all = iter::successors(Some(error), |&error| error.source()).map(ToString::to_string);
    all.collect::<Vec<_>>().join(": ")
}
