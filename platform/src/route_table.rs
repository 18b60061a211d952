//! Which public path leads to which service: whatever stands before the services (the chart's ingress, Compose's
//! proxy) is made from this table. What no prefix covers, probes and metrics above all, is not reachable from outside.

use crate::Service;
use std::fmt::Write;

/// Prefixes of whole path segments; the longest that covers a path decides, so the longest stand first.
pub(crate) const ROUTES: [(&str, Service); 8] = [
    ("/v1/smoke/accounts", Service::Auth),
    ("/v1/smoke/mail", Service::Auth),
    ("/.well-known", Service::Auth),
    ("/v1/whoami", Service::Auth),
    ("/v1/oauth", Service::Auth),
    ("/v1/users", Service::User),
    ("/v1/auth", Service::Auth),
    // All else, `/v1/health` too.
    ("/v1", Service::Org),
];

/// The file `helm/api-platform/files/routes.yaml`.
pub(crate) fn yaml() -> String {
    let mut file = String::from(
        "# Written by `platform generate` from platform/src/route_table.rs. The longest prefix decides; longest first.\nroutes:\n",
    );
    for (prefix, service) in ROUTES {
        let _ = writeln!(file, "  - prefix: {prefix}\n    service: {}", service.as_str());
    }
    file
}

/// What stands around the table in `compose/nginx.conf`.
const NGINX: &str = include_str!("route_table.nginx.conf");

/// The file `compose/nginx.conf`: the first expression that matches decides.
pub(crate) fn nginx() -> String {
    let mut locations = String::new();
    for (prefix, service) in ROUTES {
        let (prefix, service) = (prefix.replace('.', "\\."), service.as_str());
        let _ = writeln!(
            locations,
            "        location ~ ^{prefix}(/|$) {{ set $service {service}-service; proxy_pass http://$service:3000; }}"
        );
    }
    NGINX.replace("        # routes\n", &locations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server;
    use axum::body::Body;
    use db::secrets::MasterKey;
    use http::{Method, Request, StatusCode};
    use tower::ServiceExt;

    /// Who answers a path, as a proxy reads the table.
    fn service_of(path: &str) -> Option<Service> {
        let covers = |prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        ROUTES.iter().find(|(prefix, _)| covers(*prefix)).map(|(_, service)| *service)
    }

    #[test]
    fn the_longest_prefixes_stand_first() {
        assert!(ROUTES.is_sorted_by(|(before, _), (after, _)| before.len() >= after.len()));
    }

    #[tokio::test]
    async fn every_operation_is_reached_at_the_service_that_serves_it() {
        for service in Service::ALL {
            let document = server::document(&[service]).unwrap();
            for path in document.paths.paths.keys().filter(|path| !path.contains("/health")) {
                assert_eq!(service_of(path), Some(service), "{path}");
            }
        }
    }

    #[tokio::test]
    async fn every_path_of_the_smoke_test_is_reached_at_the_service_that_serves_it() {
        let app = server::unbound("postgresql://nowhere".to_owned(), MasterKey::of_secret(b"table")).unwrap().app;
        for path in ["/v1/smoke/mail", "/v1/smoke/accounts", "/v1/smoke/hooks/name"] {
            for service in Service::ALL {
                // A path that is served knows other methods; one that is not, none.
                let request = Request::builder().method(Method::PATCH).uri(path).body(Body::empty()).unwrap();
                let status = service.smoke_routes(&app).oneshot(request).await.unwrap().status();
                assert_eq!(status == StatusCode::METHOD_NOT_ALLOWED, service_of(path) == Some(service), "{path}");
            }
        }
    }

    #[test]
    fn of_health_and_metrics_only_the_public_page_is_reached() {
        for path in ["/health", "/health/live", "/health/ready", "/metrics", "/docs", "/errors/internal", "/", "/v10"] {
            assert_eq!(service_of(path), None, "{path}");
        }
        assert_eq!(service_of("/v1/health"), Some(Service::Org));
    }
}
