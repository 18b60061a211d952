//! A real database for each test: cloned from a template that has every migration.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a test that cannot have its database must fail")]

mod newest;
mod not_checked;

pub use migrate::Client;
use migrate::Files;
pub use newest::assert_on_newest_postgres;
pub use not_checked::{NOT_CHECKED, not_checked};
use private_postgres::{Cluster, Programs, Purpose};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::OnceLock,
};
use types::{Clock, Rng};

/// Names a superuser's URL of a running server; without it each test process starts its own.
pub const SERVER: &str = "EAP_TEST_POSTGRES_URL";

/// The server of this test process. It ends with the process.
fn server() -> &'static str {
    static SERVER_URL: OnceLock<(String, Option<Cluster>)> = OnceLock::new();
    let (url, _) = SERVER_URL.get_or_init(|| {
        if let Ok(url) = std::env::var(SERVER) {
            return (url, None);
        }
        sweep();
        let folder = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
        let programs = Programs::find().expect("PostgreSQL's programs");
        let cluster = Cluster::start(&programs, &folder, Purpose::Test).expect("a private PostgreSQL");
        (cluster.url("postgres", "postgres"), Some(cluster))
    });
    url
}

const FOLDER: &str = "platform-tests-";

/// A static is never dropped: the server ends with its process, and its folder goes at the next run.
fn sweep() {
    for entry in std::env::temp_dir().read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let alive = |pid: &str| Path::new("/proc").join(pid).exists();
        if name.strip_prefix(FOLDER).is_some_and(|pid| !alive(pid)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The project's folder. Where it is is asked when the test runs, of Cargo: a compiled-in path would lead to another
/// checkout when two of them share a target folder.
pub fn project() -> PathBuf {
    let of_the_test = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    let mut folders = Path::new(&of_the_test).ancestors();
    folders.find(|folder| folder.join("migrations").is_dir()).expect("a folder of migrations").to_owned()
}

/// The project's migrations.
pub fn migrations() -> Files {
    Files::load(&project().join("migrations")).expect("the migrations")
}

/// Compares a page of the manual, which the named test makes, with the one that is there; with `UPDATE_PAGES=1` it is
/// written instead.
pub fn assert_page(path: &str, page: &str, test: &str) {
    let file = project().join(path);
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&file, page).expect("the page");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page, "{path} is out of date: UPDATE_PAGES=1 cargo xtask test {test}");
}

/// A database of one test.
#[derive(Debug, Clone)]
pub struct Database {
    name: String,
}

impl Database {
    /// A new one, with the whole schema and no rows.
    pub async fn new() -> Self {
        let name = format!("test_{}", Rng::system().uuid(Clock::system().now()).simple());
        let admin = connect(server()).await;
        let template = template(&admin).await;
        let clone = format!("CREATE DATABASE {name} OWNER admin_user TEMPLATE {template} STRATEGY FILE_COPY");
        admin.batch_execute(&clone).await.expect("a clone of the template");
        Self { name }
    }

    /// A new one with nothing in it.
    pub async fn empty() -> Self {
        let name = format!("test_{}", Rng::system().uuid(Clock::system().now()).simple());
        let admin = connect(server()).await;
        admin
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
            .await
            .expect("a database");
        Self { name }
    }

    /// A new one that is as this one; nobody may be connected to this one.
    pub async fn copied(&self) -> Self {
        let name = format!("test_{}", Rng::system().uuid(Clock::system().now()).simple());
        let copy = format!("CREATE DATABASE {name} TEMPLATE {} STRATEGY FILE_COPY", self.name);
        connect(server()).await.batch_execute(&copy).await.expect("a copy");
        Self { name }
    }

    /// A new one with the logins and no tables, and its owner's session.
    pub async fn without_tables() -> (Self, Client) {
        let database = Self::empty().await;
        migrate::roles::ensure(&database.client("postgres").await).await.expect("the logins");
        let owner = database.client("admin_user").await;
        (database, owner)
    }

    /// The services' login.
    pub fn app_url(&self) -> String {
        self.url("api_platform_app")
    }

    /// The owner of the tables.
    pub fn owner_url(&self) -> String {
        self.url("admin_user")
    }

    /// Who may do everything.
    pub fn superuser_url(&self) -> String {
        self.url("postgres")
    }

    /// Any login.
    pub fn url(&self, user: &str) -> String {
        url(server(), user, &self.name)
    }

    /// A pool of the services' login.
    pub fn pool(&self) -> db::Db {
        db::Db::new(&db::Options { url: self.app_url(), max_connections: 5 }).expect("a pool")
    }

    /// A session, for what a test looks at behind the platform's back.
    pub async fn client(&self, user: &str) -> Client {
        connect(&self.url(user)).await
    }
}

/// The server's URL with another user and database.
fn url(server: &str, user: &str, database: &str) -> String {
    let (_, rest) = server.split_once('@').expect("a URL with a user");
    let (host, query) = rest.split_once('/').expect("a URL with a database");
    let query = query.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
    format!("postgresql://{user}@{host}/{database}{query}")
}

async fn connect(url: &str) -> Client {
    migrate::connect(url).await.expect("a session")
}

/// The name of the migrated template, made by whichever test comes first; a changed migration has another name.
async fn template(admin: &Client) -> String {
    let files = migrations();
    let mut hasher = DefaultHasher::new();
    files.in_order().iter().for_each(|file| file.checksum().hash(&mut hasher));
    migrate::roles::SQL.hash(&mut hasher);
    let name = format!("template_{:016x}", hasher.finish());
    admin.batch_execute("SELECT pg_advisory_lock(4711)").await.expect("the template's lock");
    let known = admin.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name]).await.expect("the databases");
    if known.is_none() {
        let half = format!("{name}_new");
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {half}")).await.expect("a drop");
        admin
            .batch_execute(&format!("CREATE DATABASE {half} TEMPLATE template0 ENCODING 'UTF8'"))
            .await
            .expect("a database");
        migrate::roles::ensure(&connect(&url(server(), "postgres", &half)).await).await.expect("the roles");
        let owner = connect(&url(server(), "admin_user", &half)).await;
        migrate::up(&owner, &files, &migrate::Options::default(), |_| {}).await.expect("the migrations");
        drop(owner);
        let rename = format!("ALTER DATABASE {half} RENAME TO {name}");
        while admin.batch_execute(&rename).await.is_err() {
            // The sessions above are still on their way out.
            tokio::task::yield_now().await;
        }
    }
    admin.batch_execute("SELECT pg_advisory_unlock(4711)").await.expect("the template's lock");
    name
}
