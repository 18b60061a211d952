//! The way in from outside: Debian's nginx, rendered from the live Ingress, balancing over the live EndpointSlices.
//!
//! As ingress-nginx does, endpoints change without a reload, so that connections of clients stay.

use crate::{HOST, Kubectl, NAMESPACE, NODE, certificates::Certificates, until};
use serde_json::{Deserializer, Value};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};
use tempfile::TempDir;

const BALANCER: &str = include_str!("ingress.lua");

/// A running one; ended when dropped.
pub struct Ingress {
    _nginx: Ended,
    _watch: Ended,
    folder: TempDir,
}

/// A program that does not outlive the test, however that ends.
struct Ended(Child);

impl Ended {
    fn command(program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program]);
        command
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A path of an Ingress, and the service behind it.
#[derive(Debug)]
struct Route {
    path: String,
    service: String,
}

impl Ingress {
    /// For the namespace's only Ingress, which is there already.
    pub(crate) fn start(certificates: &Certificates) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let kubectl = Kubectl::within(NAMESPACE);
        write("certificate.pem", &certificates.certificate);
        write("key.pem", &certificates.key);
        write("balancer.lua", BALANCER);
        write("nginx.conf", &configuration(&routes(&kubectl)));
        let mut nginx = Ended::command("/usr/sbin/nginx");
        // Beside its socket, whose name must be short.
        nginx.current_dir(folder.path()).arg("-p").arg(folder.path()).args(["-e", "error.log", "-c", "nginx.conf"]);
        let nginx = Ended(nginx.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let control = folder.path().join("control.sock").display().to_string();
        until(Duration::from_mins(1), "nginx", || fs::exists(&control).unwrap());
        let mut watch = Ended::command("kubectl");
        watch.args(["--namespace", NAMESPACE, "get", "endpointslices", "--watch", "--output-watch-events"]);
        let mut watch = Ended(watch.arg("--output=json").stdout(Stdio::piped()).spawn().unwrap());
        let events = watch.0.stdout.take().unwrap();
        thread::spawn(move || {
            let mut slices = BTreeMap::new();
            for event in Deserializer::from_reader(events).into_iter::<Value>().map_while(Result::ok) {
                take(&mut slices, &event);
                tell(&control, &slices, event["object"]["metadata"]["labels"]["kubernetes.io/service-name"].as_str());
            }
        });
        Self { _nginx: nginx, _watch: watch, folder }
    }

    /// What nginx complained about.
    pub fn complaints(&self) -> String {
        fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

/// Longest path first, as an ingress controller matches.
fn routes(kubectl: &Kubectl) -> Vec<Route> {
    let ingresses = kubectl.list(&["ingress"]);
    let rules = ingresses.iter().flat_map(|ingress| ingress["spec"]["rules"].as_array().cloned().unwrap_or_default());
    let paths = rules.filter(|rule| rule["host"] == HOST).filter_map(|rule| rule["http"]["paths"].as_array().cloned());
    let mut routes: Vec<_> = paths
        .flatten()
        .map(|path| Route {
            path: path["path"].as_str().unwrap().to_owned(),
            service: path["backend"]["service"]["name"].as_str().unwrap().to_owned(),
        })
        .collect();
    assert!(!routes.is_empty(), "no Ingress has the host {HOST}: {ingresses:#?}");
    routes.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
    routes
}

fn configuration(routes: &[Route]) -> String {
    let mut locations = String::new();
    for Route { path, service } in routes {
        // `Prefix` of an Ingress matches whole segments.
        let pattern = path.trim_end_matches('/');
        let location = format!("set $service {service}; proxy_pass http://pods;");
        let _ = writeln!(locations, "    location ~ ^{pattern}(/|$) {{ {location} }}");
    }
    format!(
        r#"daemon off; master_process off; pid nginx.pid;
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  lua_shared_dict endpoints 1m;
  lua_shared_dict turns 1m;
  lua_package_path "/usr/share/lua/5.1/?.lua;;";
  keepalive_requests 1000000;
  upstream pods {{ server 0.0.0.1; balancer_by_lua_file balancer.lua; keepalive 64; keepalive_timeout 50s; }}
  server {{
    listen {NODE}:443 ssl;
    server_name {HOST};
    ssl_certificate certificate.pem; ssl_certificate_key key.pem;
    client_max_body_size 10m;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto https;
{locations}
    location / {{ return 404; }}
  }}
  server {{
    listen unix:control.sock;
    location / {{
      content_by_lua_block {{
        ngx.req.read_body()
        ngx.shared.endpoints:set(ngx.var.uri:sub(2), ngx.req.get_body_data() or "")
      }}
    }}
  }}
}}
"#
    )
}

/// Keeps what is known of each slice.
fn take(slices: &mut BTreeMap<String, Value>, event: &Value) {
    let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if event["type"] == "DELETED" {
        slices.remove(&name);
    } else {
        slices.insert(name, event["object"].clone());
    }
}

/// Tells nginx the ready addresses of a service.
fn tell(control: &str, slices: &BTreeMap<String, Value>, service: Option<&str>) {
    let Some(service) = service else { return };
    let of_service =
        slices.values().filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service);
    let addresses: Vec<_> = of_service.flat_map(ready).collect();
    let body = addresses.join(" ");
    let length = body.len();
    let request = format!("POST /{service} HTTP/1.0\r\nHost: control\r\nContent-Length: {length}\r\n\r\n{body}");
    // At the end of a test nginx is gone before the watch is.
    let _ = UnixStream::connect(control).and_then(|mut nginx| {
        nginx.write_all(request.as_bytes())?;
        nginx.read_to_end(&mut vec![])
    });
}

/// `address:port` of a slice's ready endpoints, at its port `http`.
fn ready(slice: &Value) -> Vec<String> {
    let ports = slice["ports"].as_array().cloned().unwrap_or_default();
    let Some(port) = ports.iter().find(|port| port["name"] == "http").and_then(|port| port["port"].as_u64()) else {
        return vec![];
    };
    let endpoints = slice["endpoints"].as_array().cloned().unwrap_or_default();
    let ready = endpoints.iter().filter(|endpoint| endpoint["conditions"]["ready"] == true);
    ready.filter_map(|endpoint| endpoint["addresses"][0].as_str()).map(|address| format!("{address}:{port}")).collect()
}
