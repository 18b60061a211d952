//! Looks at a namespace for as long as it is asked, through watches.
//!
//! A list, then a watch from its version; a watch that ends is taken up where it was, one that fails or is told that
//! its version is too old begins with a list again. kube-runtime's watcher is not used: it takes up a watch that is
//! closed at once without a pause, and cannot say when it sees again after a failure.

use crate::{
    Observed,
    observed::{name, owns},
};
use futures_util::StreamExt as _;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{Event, Pod},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ListParams, WatchEvent, WatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug, time::Duration};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

/// Between two views: changes in between come together.
const BETWEEN_VIEWS: Duration = Duration::from_millis(200);
/// For a list, or for a watch to begin.
const ANSWER: Duration = Duration::from_secs(10);
/// After which the server ends a watch, in seconds; short, because a connection that died says nothing.
const WATCH_S: u32 = 30;
/// After which a watch that says nothing is dead.
const SILENCE: Duration = Duration::from_secs(35);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A watch that lasts so long is worth taking up at once.
const LASTED: Duration = Duration::from_secs(1);

/// Four watches of a namespace, for as long as this is kept.
#[derive(Debug)]
pub struct Watch {
    namespace: String,
    services: Vec<String>,
    board: watch::Receiver<Board>,
    last: Option<View>,
    next_at: Instant,
    _watches: JoinSet<()>,
}

/// What is known at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// The objects of the services; as they were last seen where `blind` names their kind.
    pub observed: Observed,
    /// What cannot be seen at the moment: a right that is missing, a server that does not answer.
    pub blind: Vec<Blind>,
}

/// A kind of objects that cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blind {
    /// As in `kubectl get`.
    pub kind: &'static str,
    /// In the server's words, or the client's.
    pub why: String,
}

impl Watch {
    /// Begins to look at services, which are names of Deployments, in a namespace; within a Tokio runtime.
    pub fn start(client: &Client, namespace: &str, services: &[String]) -> Self {
        let (sender, board) = watch::channel(Board::default());
        let mut watches = JoinSet::new();
        watches.spawn(follow(api_of(client, namespace), sender.clone(), |board| &mut board.deployments));
        watches.spawn(follow(api_of(client, namespace), sender.clone(), |board| &mut board.replica_sets));
        watches.spawn(follow(api_of(client, namespace), sender.clone(), |board| &mut board.pods));
        watches.spawn(follow(api_of(client, namespace), sender, |board| &mut board.events));
        let (namespace, services) = (namespace.to_owned(), services.to_vec());
        Self { namespace, services, board, last: None, next_at: Instant::now(), _watches: watches }
    }

    /// The next view that differs from the last one, at most five a second; the first as soon as each kind was listed
    /// or could not be. None: the watches have ended, which only a panic does. Nothing is lost when it is not awaited
    /// to its end.
    pub async fn next(&mut self) -> Option<View> {
        loop {
            sleep_until(self.next_at).await;
            self.board.changed().await.ok()?;
            self.next_at = Instant::now() + BETWEEN_VIEWS;
            let view = self.board.borrow_and_update().view(&self.namespace, &self.services);
            if view.is_some() && view != self.last {
                self.last.clone_from(&view);
                return view;
            }
        }
    }
}

fn api_of<K>(client: &Client, namespace: &str) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    Api::namespaced(client.clone(), namespace)
}

/// What the four watches have seen.
#[derive(Debug, Default)]
struct Board {
    deployments: Kind<Deployment>,
    replica_sets: Kind<ReplicaSet>,
    pods: Kind<Pod>,
    events: Kind<Event>,
}

/// All objects of a kind in the namespace, by name.
#[derive(Debug)]
struct Kind<K> {
    objects: BTreeMap<String, K>,
    was_listed: bool,
    failure: Option<String>,
}

impl<K> Default for Kind<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), was_listed: false, failure: None }
    }
}

impl<K: Clone> Kind<K> {
    fn blind(&self, kind: &'static str) -> Option<Blind> {
        self.failure.clone().map(|why| Blind { kind, why })
    }

    fn is_known(&self) -> bool {
        self.was_listed || self.failure.is_some()
    }

    fn where_it(&self, holds: impl Fn(&K) -> bool) -> Vec<K> {
        self.objects.values().filter(|object| holds(object)).cloned().collect()
    }
}

impl Board {
    /// Once something is known of each kind. Only what belongs to the services: others change, too.
    fn view(&self, namespace: &str, services: &[String]) -> Option<View> {
        let Self { deployments, replica_sets, pods, events } = self;
        if !(deployments.is_known() && replica_sets.is_known() && pods.is_known() && events.is_known()) {
            return None;
        }
        let blind = [
            deployments.blind("deployments"),
            replica_sets.blind("replicasets"),
            pods.blind("pods"),
            events.blind("events"),
        ];
        let deployments = deployments.where_it(|it| services.iter().any(|service| service == name(&it.metadata)));
        let of = |owners: &[&ObjectMeta], object: &ObjectMeta| owners.iter().any(|owner| owns(owner, object));
        let owners: Vec<_> = deployments.iter().map(|it| &it.metadata).collect();
        let replica_sets = replica_sets.where_it(|it| of(&owners, &it.metadata));
        let owners: Vec<_> = replica_sets.iter().map(|it| &it.metadata).collect();
        let pods = pods.where_it(|it| of(&owners, &it.metadata));
        let uids = deployments.iter().map(|it| &it.metadata.uid).chain(replica_sets.iter().map(|it| &it.metadata.uid));
        let uids: Vec<_> = uids.chain(pods.iter().map(|it| &it.metadata.uid)).flatten().collect();
        let events = events.where_it(|it| it.involved_object.uid.as_ref().is_some_and(|uid| uids.contains(&uid)));
        let (namespace, services) = (namespace.to_owned(), services.to_vec());
        let observed = Observed { namespace, services, deployments, replica_sets, pods, events };
        Some(View { observed, blind: blind.into_iter().flatten().collect() })
    }
}

/// Where a kind is on the board.
type Place<K> = fn(&mut Board) -> &mut Kind<K>;

/// Lists and watches one kind, for ever.
async fn follow<K>(api: Api<K>, board: watch::Sender<Board>, place: Place<K>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut pause = Pause(FIRST_PAUSE);
    loop {
        let failure = match timeout(ANSWER, api.list(&ListParams::default())).await {
            Ok(Ok(list)) => {
                let objects = list.items.into_iter().map(|object| (object.name_any(), bare(object))).collect();
                board.send_modify(|board| *place(board) = Kind { objects, was_listed: true, failure: None });
                stay(&api, list.metadata.resource_version.unwrap_or_default(), &board, place, &mut pause).await
            }
            Ok(Err(error)) => Some(words(&error)),
            Err(_) => Some(format!("no answer in {} s", ANSWER.as_secs())),
        };
        if let Some(failure) = failure {
            board.send_modify(|board| place(board).failure = Some(failure));
        }
        pause.wait().await;
    }
}

/// Watches from a version on. Returns when only a list can help: with why nothing is seen, or without when the version
/// is too old.
async fn stay<K>(
    api: &Api<K>,
    mut version: String,
    board: &watch::Sender<Board>,
    place: Place<K>,
    pause: &mut Pause,
) -> Option<String>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let parameters = WatchParams::default().timeout(WATCH_S);
    loop {
        let begun = Instant::now();
        let events = match timeout(ANSWER, api.watch(&parameters, &version)).await {
            Ok(Ok(events)) => events,
            Ok(Err(kube::Error::Api(status))) if status.code == GONE => return None,
            Ok(Err(error)) => return Some(words(&error)),
            Err(_) => return Some(format!("no answer in {} s", ANSWER.as_secs())),
        };
        let mut events = events.boxed();
        loop {
            match timeout(SILENCE, events.next()).await {
                Ok(Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)))) => {
                    version = object.resource_version().unwrap_or(version);
                    board.send_modify(|board| {
                        place(board).objects.insert(object.name_any(), bare(object));
                    });
                }
                Ok(Some(Ok(WatchEvent::Deleted(object)))) => {
                    version = object.resource_version().unwrap_or(version);
                    board.send_modify(|board| {
                        place(board).objects.remove(&object.name_any());
                    });
                }
                Ok(Some(Ok(WatchEvent::Bookmark(mark)))) => version = mark.metadata.resource_version,
                Ok(Some(Ok(WatchEvent::Error(status)))) if status.code == GONE => return None,
                Ok(Some(Ok(WatchEvent::Error(status)))) => return Some(status.message),
                Ok(Some(Err(error))) => return Some(words(&error)),
                Ok(None) => break,
                Err(_) => return Some(format!("the watch said nothing for {} s", SILENCE.as_secs())),
            }
        }
        if begun.elapsed() < LASTED {
            pause.wait().await;
        } else {
            *pause = Pause(FIRST_PAUSE);
        }
    }
}

/// HTTP status of a version that the server no longer has.
const GONE: u16 = 410;

/// Without the part that only the API server reads, which is often the largest.
fn bare<K: Resource>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    object
}

fn words(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error { status.message.clone() } else { error.to_string() }
}

/// How long the next pause is.
struct Pause(Duration);

impl Pause {
    async fn wait(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}
