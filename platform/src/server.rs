//! A running process: bound, serving, drained.

use crate::{Service, jobs};
use api::{
    ApiConfig, App, AppParts, Authority, Denials, Health, Limits, Metrics, Network, Quotas, Revocations, Smoke,
    TokenCache,
};
use axum::Router;
use axum_server::accept::NoDelayAcceptor;
use db::{Db, DbError, secrets::MasterKey};
use identity::{HashCost, Hasher, Identity, Mailer, SigningKeys};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use types::{Clock, PermissionSet, Rng, Role};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use webhooks::{Delivery, Webhooks};

/// From the signal to stop until readiness has been seen to be off.
const DRAIN: Duration = Duration::from_secs(2);
/// From there until open requests are cut off.
const FINISH: Duration = Duration::from_secs(20);
/// Who connects and does not finish a request's head in this time is gone, or means ill.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// The same between requests of a connection; longer than proxies keep an idle one (60 s), or they would find it closed.
const IDLE: Duration = Duration::from_secs(75);

/// What a process is to be.
pub struct Options {
    /// The services' login.
    pub database_url: String,
    /// Connections.
    pub pool: usize,
    /// Which services.
    pub services: Vec<Service>,
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
    /// Where to show metrics, if at all.
    pub metrics: Option<SocketAddr>,
    /// How the world reaches it; none: where it listens.
    pub public_url: Option<String>,
    /// The root secret.
    pub master_key: MasterKey,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub rng: Rng,
    /// What a password costs.
    pub hash_cost: HashCost,
    /// Where mail goes.
    pub mailer: Mailer,
    /// How webhooks are delivered.
    pub delivery: Delivery,
    /// Browsers' origins.
    pub cors_origins: Vec<String>,
    /// Believed proxies.
    pub trusted_proxies: Vec<Network>,
    /// Requests a minute.
    pub quotas: Quotas,
    /// What the smoke test may.
    pub smoke: Option<Smoke>,
    /// How long what is kept by the day is kept.
    pub retention: Retention,
    /// More routes, for development.
    pub extra: Router,
    /// How long to be not ready before connections are closed.
    pub drain: Duration,
    /// Until when the first request of a connection must have come.
    pub first_request: Duration,
}

impl Options {
    /// All services on any loopback port, for a test: nothing limited, passwords cheap, mail caught.
    pub fn for_tests(database_url: String) -> Self {
        Self {
            quotas: Quotas { per_address: None, per_person: None },
            hash_cost: HashCost::Cheap,
            drain: Duration::ZERO,
            ..Self::new(database_url, MasterKey::of_secret(b"tests"))
        }
    }

    /// All services on any loopback port.
    pub fn new(database_url: String, master_key: MasterKey) -> Self {
        Self {
            database_url,
            pool: 5,
            services: Service::ALL.to_vec(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            metrics: None,
            public_url: None,
            master_key,
            clock: Clock::system(),
            rng: Rng::system(),
            hash_cost: HashCost::Production,
            mailer: Mailer::catching(),
            delivery: Delivery::default(),
            cors_origins: vec![],
            trusted_proxies: vec![],
            quotas: Quotas::default(),
            smoke: None,
            retention: Retention::default(),
            extra: Router::new(),
            drain: DRAIN,
            first_request: FIRST_REQUEST,
        }
    }
}

/// Days after which partitions go; none: they stay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retention {
    /// Of the event log.
    pub events: Option<u32>,
    /// Of analytics events.
    pub analytics: Option<u32>,
}

/// Why a process cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// The database settings cannot be used.
    Database(DbError),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// A running process.
pub struct Server {
    address: SocketAddr,
    identity: Identity,
    health: Health,
    tasks: TaskTracker,
    serving: JoinHandle<io::Result<()>>,
    /// Ends what runs beside the requests.
    stop_tasks: CancellationToken,
    /// Takes no more requests.
    stop_serving: CancellationToken,
    drain: Duration,
}

impl Server {
    /// Binds and serves, on the runtime that calls; readiness follows once database, schema and keys are there.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let listener = listen(options.listen)?;
        let address = listener.local_addr().map_err(|error| StartError::Listen(options.listen, error))?;
        let metrics = match options.metrics {
            Some(address) => Some(listen(address)?),
            None => None,
        };
        let public_url = options.public_url.clone().unwrap_or_else(|| format!("http://localhost:{}", address.port()));
        let identity = put_together(&options, &public_url)?;
        let health = Health::new(env!("CARGO_PKG_VERSION"), options.clock.clone());
        health.hold("starting");
        let webhooks = Webhooks::new(identity.app.clone(), options.delivery);
        let contexts = (&identity, &webhooks);
        let (router, document) = routes(contexts, &health, &options.services).split_for_parts();
        let document = api::openapi::finish(document);
        let router = router.merge(api::openapi::routes(&document)).merge(options.extra);
        let router = options.services.iter().fold(router, |router, one| router.merge(one.smoke_routes(&identity.app)));
        let router = api::layers::wrap(router, identity.app.clone());
        let (stop_tasks, stop_serving) = (CancellationToken::new(), CancellationToken::new());
        let tasks = jobs::spawn(contexts, &options.database_url, &health, &options.services, &stop_tasks);
        tasks.spawn(jobs::upkeep(identity.app.clone(), options.retention, stop_tasks.clone()));
        tasks.close();
        if let Some(listener) = metrics {
            let shown = api::metrics::router(identity.app.metrics.clone());
            tokio::spawn(serve(listener, shown, options.first_request, stop_serving.clone()));
        }
        let serving = tokio::spawn(serve(listener, router, options.first_request, stop_serving.clone()));
        Ok(Self { address, identity, health, tasks, serving, stop_tasks, stop_serving, drain: options.drain })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL on this machine.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// What its handlers share.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Why it takes no traffic.
    pub(crate) fn reason(&self) -> String {
        self.health.reason().unwrap_or_else(|| "the database does not answer".to_owned())
    }

    /// Waits until it may take traffic.
    pub async fn ready(&self) {
        while !self.health.is_ready() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Readiness off, then no new requests, then the open ones finish, within 25 seconds in all.
    pub async fn stop(self) {
        self.health.drain();
        tokio::time::sleep(self.drain).await;
        self.stop_serving.cancel();
        if timeout(FINISH, self.serving).await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
        self.stop_tasks.cancel();
        let _ = timeout(Duration::from_secs(2), self.tasks.wait()).await;
    }
}

/// The document of some services, without running them.
pub(crate) fn document(services: &[Service]) -> Result<OpenApi, StartError> {
    let options = Options::new("postgresql://nowhere".to_owned(), MasterKey::of_secret(b"document"));
    let identity = put_together(&options, "http://localhost:3000")?;
    let health = Health::new(env!("CARGO_PKG_VERSION"), options.clock.clone());
    let webhooks = Webhooks::new(identity.app.clone(), options.delivery);
    Ok(api::openapi::finish(routes((&identity, &webhooks), &health, services).into_openapi()))
}

/// What handlers share, without listening: for commands that decide as handlers do.
pub(crate) fn unbound(database_url: String, master_key: MasterKey) -> Result<Identity, StartError> {
    put_together(&Options { pool: 1, ..Options::new(database_url, master_key) }, "")
}

fn routes((identity, webhooks): (&Identity, &Webhooks), health: &Health, services: &[Service]) -> OpenApiRouter {
    let of_services = services.iter().map(|service| service.routes(&identity.app, identity, webhooks));
    of_services.fold(api::health::routes(health.clone()), OpenApiRouter::merge)
}

/// Listens; where IPv6 is switched off, `[::]` means every IPv4 address.
fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address);
    let bound = match bound {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))
        }
        bound => bound,
    };
    bound.map_err(|error| StartError::Listen(address, error))
}

/// HTTP/1.1 and HTTP/2 until told to stop; then open requests have their time to finish.
async fn serve(
    listener: TcpListener,
    router: Router,
    first_request: Duration,
    stop: CancellationToken,
) -> io::Result<()> {
    let handle = axum_server::Handle::new();
    // An answer is one small write: waiting for more to send with it only adds time.
    let mut server = axum_server::from_tcp(listener)?.acceptor(NoDelayAcceptor::new());
    server.http_builder().http1().header_read_timeout(IDLE);
    server.http_builder().http2().keep_alive_interval(IDLE);
    let server = server.first_request_timeout(first_request).handle(handle.clone());
    let stopping = async move {
        stop.cancelled().await;
        handle.graceful_shutdown(Some(FINISH));
        std::future::pending::<()>().await;
    };
    let serving = server.serve(router.into_make_service_with_connect_info::<SocketAddr>());
    tokio::select! {
        ended = serving => ended,
        () = stopping => Ok(()),
    }
}

fn put_together(options: &Options, public_url: &str) -> Result<Identity, StartError> {
    let (clock, rng) = (options.clock.clone(), options.rng.clone());
    let settings = db::Options { url: options.database_url.clone(), max_connections: options.pool };
    let db = Db::new(&settings).map_err(StartError::Database)?;
    let keys = SigningKeys::new(public_url, options.master_key.clone(), clock.clone(), rng.clone());
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
    let hasher = Hasher::new(options.hash_cost, &rng);
    let app = App::new(AppParts {
        revocations: Revocations::of(db.clone()),
        tokens: TokenCache::default(),
        denials: Denials::default(),
        limits: Limits::new(options.quotas, metrics.clone()),
        authority: Authority { bearer: keys.verifier(), permissions_of },
        secrets: Arc::new(options.master_key.clone()),
        config: ApiConfig {
            public_url: public_url.to_owned(),
            cors_origins: options.cors_origins.clone(),
            trusted_proxies: options.trusted_proxies.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            smoke: options.smoke.clone(),
        },
        db,
        clock,
        rng,
        metrics,
    });
    Ok(Identity::new(app, hasher, keys, options.mailer.clone()))
}

fn permissions_of(role: &str) -> PermissionSet {
    Role::parse(role).map(Role::permissions).unwrap_or_default()
}
