//! TLS to a real server: what `sslmode` and `sslrootcert` let through, for the migrator and for the pool.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use private_postgres::{Cluster, Programs, Purpose};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::PathBuf,
};

/// A server with TLS, and a folder for certificates that goes with it.
struct Server {
    cluster: Cluster,
    folder: PathBuf,
}

impl Server {
    async fn start(name: &str, certificate: &str, key: &KeyPair) -> Self {
        let folder = std::env::temp_dir().join(format!("platform-tls-{name}-{}", std::process::id()));
        let cluster = Cluster::start(&Programs::find().unwrap(), &folder, Purpose::Test).unwrap();
        let data = folder.join("data");
        for (file, text) in [("server.crt", certificate), ("server.key", &key.serialize_pem())] {
            fs::write(data.join(file), text).unwrap();
            fs::set_permissions(data.join(file), fs::Permissions::from_mode(0o600)).unwrap();
            let owner = data.metadata().unwrap();
            chown(data.join(file), Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        let server = Self { cluster, folder };
        let superuser = migrate::connect(&server.cluster.url("postgres", "postgres")).await.unwrap();
        superuser.batch_execute("CREATE ROLE eap_tenant").await.unwrap();
        superuser.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
        superuser.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        // Each new session is a child of the server as it is by then.
        while server.encrypted("sslmode=prefer").await != Ok(true) {
            tokio::task::yield_now().await;
        }
        server
    }

    fn url(&self, parameters: &str) -> String {
        format!("{}?{parameters}", self.cluster.tcp_url("postgres", "postgres"))
    }

    /// Whether a session is encrypted, or why there is none.
    async fn encrypted(&self, parameters: &str) -> Result<bool, String> {
        let client = migrate::connect(&self.url(parameters)).await.map_err(|error| error.to_string())?;
        let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(client.query_one(ssl, &[]).await.unwrap().get(0))
    }

    fn write(&self, name: &str, pem: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, pem).unwrap();
        path.display().to_string()
    }
}

fn pair() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn parameters(name: &str, ca: bool) -> CertificateParams {
    let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
    if ca {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    parameters
}

#[tokio::test]
async fn a_self_signed_server_is_reached_unchecked_or_by_its_own_certificate() {
    for ca in [false, true] {
        let key = pair();
        let own = parameters("127.0.0.1", ca).self_signed(&key).unwrap().pem();
        let server = Server::start(&format!("own-{ca}"), &own, &key).await;
        let other = parameters("127.0.0.1", ca).self_signed(&pair()).unwrap().pem();
        let (own, other) = (server.write("own.pem", &own), server.write("other.pem", &other));
        assert_eq!(server.encrypted("sslmode=disable").await, Ok(false));
        assert_eq!(server.encrypted("sslmode=require").await, Ok(true));
        for mode in ["verify-full", "verify-ca", "require", "prefer"] {
            assert_eq!(server.encrypted(&format!("sslmode={mode}&sslrootcert={own}")).await, Ok(true), "{mode}");
            let refused = server.encrypted(&format!("sslmode={mode}&sslrootcert={other}")).await.unwrap_err();
            assert!(refused.contains("leads to no root that is trusted here"), "{refused}");
        }
        assert!(server.encrypted("sslmode=verify-full").await.is_err());
        for (root, good) in [(own, true), (other, false)] {
            let url = server.url(&format!("sslmode=verify-full&sslrootcert={root}"));
            let db = db::Db::new(&db::Options { url, max_connections: 1 }).unwrap();
            assert_eq!(db.ping().await.is_ok(), good);
        }
    }
}

#[tokio::test]
async fn the_chain_and_the_name_are_checked() {
    let authority = CertifiedIssuer::self_signed(parameters("authority", true), pair()).unwrap();
    let key = pair();
    let signed = parameters("localhost", false).signed_by(&key, &authority).unwrap().pem();
    let server = Server::start("chain", &signed, &key).await;
    let root = server.write("root.pem", &authority.pem());
    let by_name = server.url(&format!("sslmode=verify-full&sslrootcert={root}")).replace("127.0.0.1", "localhost");
    migrate::connect(&by_name).await.unwrap();
    let key_values = format!(
        "host=localhost port={} user=postgres dbname=postgres sslmode = verify-full sslrootcert = '{root}'",
        server.cluster.port()
    );
    migrate::connect(&key_values).await.unwrap();
    for trusted in [root, server.write("own.pem", &signed)] {
        let refused = server.encrypted(&format!("sslmode=verify-ca&sslrootcert={trusted}")).await.unwrap_err();
        assert!(refused.contains("not valid for name \"127.0.0.1\""), "{refused}");
    }
}

#[tokio::test]
async fn a_root_file_that_cannot_be_used_is_named() {
    for (file, problem) in [("/nowhere.pem", "No such file"), ("/dev/null", "has no root certificates")] {
        let url = format!("postgresql://localhost/d?sslmode=verify-full&sslrootcert={file}");
        let refused = migrate::connect(&url).await.unwrap_err().to_string();
        assert!(refused.starts_with("DATABASE_URL cannot be used: ") && refused.contains(file), "{refused}");
        assert!(refused.contains(problem), "{refused}");
    }
}
