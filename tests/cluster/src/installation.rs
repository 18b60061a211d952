//! An installation as the runbook makes one: namespace, secrets, helm or kubectl, an organization in it.

use crate::{Database, HOST, Ingress, Kubectl, NODE, Shell, certificates, given};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

/// The runbook's.
pub const NAMESPACE: &str = "production";
const MASTER_KEY: &str = "dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHMgdGVzdHMgISE=";
const SMOKE_KEY: &str = "the smoke key of the cluster tests, long enough";
const OWNER: &str = "test@example.com";
const OWNER_PASSWORD: &str = "correct horse battery";

/// Which helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// 3.x
    Helm3,
    /// 4.x
    Helm4,
}

impl Tool {
    /// Its program.
    pub fn program(self) -> String {
        given(match self {
            Self::Helm3 => "EAP_TEST_HELM3",
            Self::Helm4 => "EAP_TEST_HELM4",
        })
    }
}

/// The namespace `production` with its secrets, and nothing deployed yet.
pub struct Installation {
    /// An operator's shell beside it.
    pub shell: Shell,
    /// kubectl in its namespace.
    pub kubectl: Kubectl,
    /// What the pods use.
    pub database: Database,
    certificates: certificates::Certificates,
}

impl Installation {
    /// A new namespace in place of the last test's.
    pub fn new(tool: Tool) -> Self {
        let kubectl = Kubectl::within(NAMESPACE);
        // What `runbook` remembers of the last one is nothing that this one did.
        kubectl.run(&["delete", "namespace", NAMESPACE, "runbook", "--ignore-not-found", "--wait", "--timeout=5m"]);
        kubectl.run(&["create", "namespace", NAMESPACE]);
        kubectl.run(&["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"]);
        let certificates = certificates::make();
        let database = Database::new();
        let mut shell = Shell::new(&tool.program(), &certificates.authority);
        shell.set("NEW_VERSION", &given("EAP_TEST_VERSION"));
        shell.set("EAP_SMOKE_KEY", SMOKE_KEY);
        let installation = Self { shell, kubectl, database, certificates };
        installation.secrets(&installation.database.url("api_platform_app"));
        // What pods ask of the node's DNS server; a real cluster's asks the world's.
        fs::write("/var/lib/eap-cluster/etc/hosts", format!("{NODE} {HOST}\n")).unwrap();
        installation
    }

    /// Writes `api-secrets`, `api-tls-cert` and `private-roots`.
    pub fn secrets(&self, database_url: &str) {
        let secrets = json!({ "database-url": database_url, "master-key": MASTER_KEY, "smoke-key": SMOKE_KEY });
        self.secret("api-secrets", "Opaque", &secrets);
        let certificates = &self.certificates;
        let tls = json!({ "tls.crt": certificates.certificate, "tls.key": certificates.key });
        self.secret("api-tls-cert", "kubernetes.io/tls", &tls);
        self.secret("private-roots", "Opaque", &json!({ "ca.crt": certificates.authority }));
    }

    /// Writes `api-migration`: the login of the schema's owner, which the services do not have.
    pub fn migration_secret(&self) {
        self.secret("api-migration", "Opaque", &json!({ "database-url": self.database.url("admin_user") }));
    }

    fn secret(&self, name: &str, kind: &str, data: &Value) {
        self.kubectl.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "type": kind, "stringData": data,
        }));
    }

    /// The runbook's helm line for a version, with what makes it fit on a small machine.
    pub fn helm_line(version: &str) -> String {
        format!(
            "helm upgrade --install api-platform helm/api-platform \\\n  -f helm/values-prod.yaml \\\n  -f tests/cluster/small.yaml \\\n  \
             --namespace production \\\n  --create-namespace \\\n  --wait \\\n  --timeout 10m \\\n  --set image.tag={version}"
        )
    }

    /// Installs or upgrades by helm.
    pub fn helm(&self, version: &str) -> String {
        self.shell.lines(&Self::helm_line(version))
    }

    /// The way in; after the Ingress is there.
    pub fn ingress(&self) -> Ingress {
        Ingress::start(&self.certificates)
    }

    /// The certificate that signed the ingress's.
    pub fn authority(&self) -> &str {
        &self.certificates.authority
    }

    /// An organization with its owner, and the owner's access token, by way of the ingress.
    pub fn token(&self) -> String {
        let mut create = Command::new(given("EAP_TEST_PLATFORM"));
        create.args(["admin", "create-organization", "--name", "Acme", "--owner", OWNER]);
        create.env("DATABASE_URL", self.database.url("api_platform_app")).env("EAP_MASTER_KEY", MASTER_KEY);
        let mut create = create.stdin(Stdio::piped()).spawn().unwrap();
        create.stdin.take().unwrap().write_all(OWNER_PASSWORD.as_bytes()).unwrap();
        assert!(create.wait().unwrap().success());
        self.sign_in()
    }

    /// The owner's access token, once more.
    pub fn sign_in(&self) -> String {
        let answer = self.post("/v1/auth/login", "", &json!({ "email": OWNER, "password": OWNER_PASSWORD }));
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A POST by way of the ingress; it must succeed.
    pub fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        self.ask(path, token, &format!("-H 'Content-Type: application/json' -d '{body}'"))
    }

    /// A request by way of the ingress, with further words for curl; it must succeed.
    pub fn ask(&self, path: &str, token: &str, more: &str) -> Value {
        let line =
            format!("curl -sS --fail-with-body 'https://{HOST}{path}' -H 'Authorization: Bearer {token}' {more}");
        serde_json::from_str(&self.shell.lines(&line)).unwrap()
    }

    /// A curl of the shell, until it answers with this text.
    pub fn curl_until(&self, path: &str, text: &str) {
        crate::until(Duration::from_mins(1), path, || {
            self.shell.try_lines(&format!("curl -sS https://{HOST}{path}")).text.contains(text)
        });
    }

    /// Waits until no pod of another version is left. helm's `--wait` returns when the new ones are ready; the old ones
    /// answer for some seconds more, by connections that stay open among others.
    pub fn serves_alone(&self, version: &str) {
        let tag = format!(":{version}");
        crate::until(Duration::from_mins(2), &format!("pods of {version} alone"), || {
            // The migration's Job is no service.
            let ours = "--selector=app.kubernetes.io/instance=api-platform,app.kubernetes.io/component!=task";
            let pods = self.kubectl.list(&["pods", ours]);
            !pods.is_empty() && pods.iter().all(|pod| Self::image(pod).ends_with(&tag))
        });
    }

    /// Of a pod's only container.
    pub fn image(pod: &Value) -> &str {
        pod["spec"]["containers"][0]["image"].as_str().unwrap()
    }
}
