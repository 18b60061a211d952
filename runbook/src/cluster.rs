//! The API server of an environment's cluster, and the namespace in it where the runbook keeps what operators share.

mod clock;
#[cfg(test)]
pub(crate) mod stand_in;

pub(crate) use clock::Clock;

use crate::{failure::Failure, home, programs::kubectl::Kubectl};
use k8s_openapi::{
    api::{authentication::v1::SelfSubjectReview, core::v1::Namespace},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use runbook_file::Cluster;
use std::{iter, time::Duration};
use tokio::time::timeout;

/// Where locks, copies of journals and what is remembered are.
pub(crate) const NAMESPACE: &str = "runbook";
/// For one question. The client itself has no limit on reading: watching takes as long as it takes.
const LIMIT: Duration = Duration::from_secs(10);

/// Why a cluster did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// It is another one than was read, or is there already.
    #[error("somebody else changed it meanwhile")]
    Conflict,
    /// There is no such object, or no such namespace.
    #[error("{0}")]
    NotThere(String),
    /// These credentials may not.
    #[error("{0}")]
    Denied(String),
    /// It did not answer in time, and may have done it.
    #[error("the cluster did not answer within {} s", .0.as_secs_f64())]
    Silent(Duration),
    /// Everything else.
    #[error("{0}")]
    Failed(String),
}

impl From<kube::Error> for AskError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                404 => Self::NotThere(status.message),
                401 | 403 => Self::Denied(status.message),
                409 => Self::Conflict,
                _ => Self::Failed(status.message),
            },
            kube::Error::Auth(error) => Self::Denied(error.to_string()),
            // What happened is at the end; before it every layer says its own name.
            error => Self::Failed(root(&error)),
        }
    }
}

impl AskError {
    /// What failed, for people: `what` as in "the lock of production".
    pub(crate) fn about(&self, what: &str) -> Failure {
        let failure = Failure::failed(format!("{what}: {self}"));
        match self {
            Self::Denied(_) => failure
                .because("these credentials may not do it")
                .cured_by(format!("kubectl auth can-i --list -n {NAMESPACE}")),
            _ => failure,
        }
    }
}

/// The words of an error and of all that caused it: hyper's own say little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        next = cause.source();
    }
    words
}

/// The words of what caused all the rest.
fn root(error: &dyn std::error::Error) -> String {
    let causes = iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// One question, with ten seconds.
pub(crate) async fn ask<T>(question: impl Future<Output = kube::Result<T>>) -> Result<T, AskError> {
    ask_within(LIMIT, question).await
}

/// One question, with a time of its own.
pub(crate) async fn ask_within<T>(
    limit: Duration,
    question: impl Future<Output = kube::Result<T>>,
) -> Result<T, AskError> {
    match timeout(limit, question).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(AskError::Silent(limit)),
    }
}

/// A client of the environment's cluster, by its own kubeconfig and context, and never of another one.
///
/// # Errors
///
/// The kubeconfig has no such context, nobody answers, or, refused: it is another cluster than is written down.
pub(crate) async fn connect(cluster: &Cluster) -> Result<Client, Failure> {
    let kubeconfig = kubeconfig(cluster)?;
    let unusable = |error: &dyn std::error::Error| {
        Failure::failed(format!("the kubeconfig has no usable context {}: {}", cluster.context, chain(error)))
            .cured_by("kubectl config view")
    };
    let options = KubeConfigOptions { context: Some(cluster.context.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unusable(&error))?;
    let client = Client::try_from(config).map_err(|error| unusable(&error))?;
    same_cluster(&client, cluster).await?;
    Ok(client)
}

const USERS_OWN: &str = "your kubeconfig (KUBECONFIG, else ~/.kube/config)";

/// The kubeconfig, which has the context.
pub(crate) fn kubeconfig(cluster: &Cluster) -> Result<Kubeconfig, Failure> {
    let Cluster { context, kubeconfig, .. } = cluster;
    let read = match kubeconfig {
        Some(path) => Kubeconfig::read_from(home::expand(path)),
        None => Kubeconfig::read(),
    };
    let read = read.map_err(|error| {
        let which = kubeconfig.as_ref().map_or(USERS_OWN.to_owned(), |path| path.display().to_string());
        Failure::failed(format!("{which} cannot be read: {}", root(&error)))
            .because("the cluster is reached by it")
            .cured_by("in runbook.toml, in cluster: kubeconfig = \"PATH\"")
    })?;
    let names: Vec<_> = read.contexts.iter().map(|known| known.name.as_str()).collect();
    if names.contains(&context.as_str()) {
        return Ok(read);
    }
    let has = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
    Err(Failure::failed(format!("the kubeconfig has no context {context}; {has}"))
        .because("runbook.toml names it, and your current context is never used instead")
        .cured_by("in runbook.toml, in cluster: context = \"NAME\""))
}

/// A context can be renamed or point elsewhere; the UID of `kube-system` cannot.
async fn same_cluster(client: &Client, cluster: &Cluster) -> Result<(), Failure> {
    let Cluster { context, uid, .. } = cluster;
    let namespaces = Api::<Namespace>::all(client.clone());
    let found = match (ask(namespaces.get("kube-system")).await, uid) {
        (Ok(found), _) => found.metadata.uid.unwrap_or_default(),
        // Whoever may not look there may still do all the rest, and there is nothing to compare.
        (Err(AskError::Denied(_) | AskError::NotThere(_)), None) => return Ok(()),
        (Err(error), _) => {
            let question = Kubectl(cluster).call(["get", "namespace", "kube-system"]);
            return Err(Failure::failed(format!("{context} does not answer: {error}"))
                .because("is the VPN up?")
                .cured_by(question.literal()));
        }
    };
    match uid {
        Some(wanted) if *wanted != found => {
            Err(Failure::refused(format!("{context} is the cluster {found}, not {wanted}"))
                .because("what is meant for one cluster would be done in another")
                .cured_by("kubectl config get-contexts"))
        }
        _ => Ok(()),
    }
}

/// Makes the runbook's namespace when it is not there.
pub(crate) async fn namespace(client: &Client) -> Result<(), Failure> {
    let namespaces = Api::<Namespace>::all(client.clone());
    match ask(namespaces.get_opt(NAMESPACE)).await {
        Ok(None) => {}
        // Whoever may not look at namespaces may still work in this one; if it is missing the next write says so.
        Ok(Some(_)) | Err(AskError::Denied(_)) => return Ok(()),
        Err(error) => return Err(error.about(&format!("the namespace {NAMESPACE}"))),
    }
    let metadata = ObjectMeta { name: Some(NAMESPACE.to_owned()), ..ObjectMeta::default() };
    let made = Namespace { metadata, ..Namespace::default() };
    match ask(namespaces.create(&PostParams::default(), &made)).await {
        Ok(_) | Err(AskError::Conflict) => Ok(()),
        Err(error) => Err(Failure::failed(format!("the namespace {NAMESPACE} cannot be made: {error}"))
            .because("the lock, copies of journals and what is remembered are kept there")
            .cured_by(format!("kubectl create namespace {NAMESPACE}"))),
    }
}

/// Who the cluster takes these credentials for, as `kubectl auth whoami` says it.
pub(crate) async fn whoami(client: &Client) -> Result<String, Failure> {
    let reviews = Api::<SelfSubjectReview>::all(client.clone());
    let review = ask(reviews.create(&PostParams::default(), &SelfSubjectReview::default())).await;
    let untold = |why: &str| {
        Failure::failed(format!("the cluster does not say who you are: {why}")).cured_by("kubectl auth whoami")
    };
    let review = review.map_err(|error| untold(&error.to_string()))?;
    let name = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    name.ok_or_else(|| untold("its answer names nobody"))
}

#[cfg(test)]
mod tests {
    use super::{stand_in::StandIn, *};
    use crate::exit::Exit;

    impl StandIn {
        /// Somebody's.
        pub(crate) async fn client(&self, user: &str) -> Client {
            connect(&self.cluster(user)).await.unwrap()
        }
    }

    #[tokio::test]
    async fn another_cluster_than_the_one_that_is_written_down_is_refused() {
        let cluster = StandIn::start();
        assert_eq!(whoami(&cluster.client("ada").await).await.unwrap(), "ada");
        let elsewhere = Cluster { uid: Some("another".to_owned()), ..cluster.cluster("ada") };
        let refused = connect(&elsewhere).await.err().unwrap();
        assert_eq!(refused.exit, Exit::Refused);
        let expected = format!("prod-us-east-1 is the cluster {}, not another", stand_in::UID);
        assert_eq!(refused.what, expected);
        let whichever = Cluster { uid: None, ..cluster.cluster("ada") };
        assert!(connect(&whichever).await.is_ok());
    }

    #[tokio::test]
    async fn a_context_that_is_not_there_is_named() {
        let cluster = StandIn::start();
        let gone = Cluster { context: "staging".to_owned(), ..cluster.cluster("ada") };
        let failed = connect(&gone).await.err().unwrap();
        insta::assert_snapshot!(failed, @"the kubeconfig has no context staging; it has prod-us-east-1");
        let nowhere = Cluster { kubeconfig: Some("/nowhere/config".into()), ..cluster.cluster("ada") };
        let failed = connect(&nowhere).await.err().unwrap();
        insta::assert_snapshot!(failed, @"/nowhere/config cannot be read: No such file or directory (os error 2)");
    }

    #[tokio::test]
    async fn a_cluster_that_does_not_answer_is_named_with_the_line_that_asks_it() {
        let cluster = StandIn::start();
        let whichever = Cluster { uid: None, ..cluster.cluster("ada") };
        let kubeconfig = whichever.kubeconfig.clone().unwrap();
        let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let text = std::fs::read_to_string(&kubeconfig).unwrap();
        let (before, after) = text.split_once("127.0.0.1:").unwrap();
        let (_, after) = after.split_once('"').unwrap();
        std::fs::write(&kubeconfig, format!("{before}{nobody}\"{after}")).unwrap();
        let failed = connect(&whichever).await.err().unwrap();
        insta::assert_snapshot!(failed, @"prod-us-east-1 does not answer: Connection refused (os error 111)");
        let cure = failed.cure.unwrap();
        assert!(
            cure.starts_with("kubectl get namespace kube-system --context prod-us-east-1 --kubeconfig /"),
            "{cure}"
        );
    }
}
