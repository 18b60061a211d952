//! `platform serve`: production-strict.

use crate::{
    Options, Retention, Server, Service,
    logs::{self, Format},
    settings::Settings,
};
use anyhow::{Context, Result, bail};
use api::{Quotas, Smoke};
use db::secrets::MasterKey;
use identity::Mailer;
use std::{net::Ipv6Addr, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use webhooks::{Delivery, Rules};

/// A database that is not there now may come: the login is looked at for this long before serving begins anyhow.
const LOOK: Duration = Duration::from_millis(1_500);

pub(crate) async fn run(service: Option<Service>, port: u16, metrics_port: u16) -> Result<ExitCode> {
    let settings = Settings::from_environment()?;
    let format = Format::parse(settings.given("EAP_LOG_FORMAT").unwrap_or("json"))?;
    logs::to_stdout(settings.given("LOG_LEVEL").unwrap_or("info"), format)?;
    let options = options(&settings, service, port, metrics_port)?;
    refuse_mighty_login(&options.database_url).await?;
    let server = Server::start(options)?;
    tracing::info!(port, version = env!("CARGO_PKG_VERSION"), "serving");
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn options(settings: &Settings, service: Option<Service>, port: u16, metrics_port: u16) -> Result<Options> {
    let public_url = settings.required("EAP_PUBLIC_URL")?.trim_end_matches('/').to_owned();
    if !public_url.starts_with("https://") && !public_url.starts_with("http://") {
        bail!("EAP_PUBLIC_URL is `{public_url}`: it begins with https://");
    }
    let master_key = MasterKey::parse(settings.required("EAP_MASTER_KEY")?).context("EAP_MASTER_KEY")?;
    let proxies = settings.list("EAP_TRUSTED_PROXIES");
    let proxies = proxies.iter().map(|text| text.parse().with_context(|| format!("EAP_TRUSTED_PROXIES: {text}")));
    let services = service.map_or_else(|| Service::ALL.to_vec(), |service| vec![service]);
    let smoke = smoke(settings)?;
    Ok(Options {
        pool: usize::try_from(settings.number("EAP_DATABASE_POOL")?)?.max(1),
        mailer: if services.contains(&Service::Auth) { mailer(settings)? } else { Mailer::catching() },
        services,
        listen: (Ipv6Addr::UNSPECIFIED, port).into(),
        metrics: Some((Ipv6Addr::UNSPECIFIED, metrics_port).into()),
        public_url: Some(public_url.clone()),
        cors_origins: settings.list("EAP_CORS_ORIGINS"),
        trusted_proxies: proxies.collect::<Result<_>>()?,
        quotas: quotas(settings)?,
        delivery: Delivery { rules: rules(&public_url, smoke.as_ref())?, ..Delivery::default() },
        smoke,
        retention: retention(settings)?,
        ..Options::new(settings.required("DATABASE_URL")?.to_owned(), master_key)
    })
}

/// The limits that were set; 0 means unlimited.
pub(crate) fn quotas(settings: &Settings) -> Result<Quotas> {
    let quota = |name| Ok::<_, anyhow::Error>(Some(settings.number(name)?).filter(|number| *number > 0));
    Ok(Quotas { per_address: quota("EAP_RATE_LIMIT_ADDRESS")?, per_person: quota("EAP_RATE_LIMIT_PERSON")? })
}

fn retention(settings: &Settings) -> Result<Retention> {
    let days = |name| Ok::<_, anyhow::Error>(Some(settings.number(name)?).filter(|days| *days > 0));
    Ok(Retention { events: days("EAP_EVENTS_RETENTION_DAYS")?, analytics: days("EAP_ANALYTICS_RETENTION_DAYS")? })
}

fn smoke(settings: &Settings) -> Result<Option<Smoke>> {
    let domain = settings.value("EAP_SMOKE_DOMAIN");
    settings.given("EAP_SMOKE_KEY").map(|key| Smoke::new(key, domain).context("EAP_SMOKE_KEY")).transpose()
}

/// Public hosts alone; the smoke test's own hooks too, where there is one.
fn rules(public_url: &str, smoke: Option<&Smoke>) -> Result<Rules> {
    let hooks = smoke.map(|_| format!("{public_url}{}", api::smoke::HOOKS).parse().context("EAP_PUBLIC_URL"));
    Ok(Rules { loopback: false, allow_http_to: hooks.transpose()? })
}

/// Registering needs mail, which auth-service sends: without a server it is refused, and the log says so.
fn mailer(settings: &Settings) -> Result<Mailer> {
    let Some(url) = settings.given("EAP_SMTP_URL") else {
        tracing::warn!("no mail is sent and nobody can register: EAP_SMTP_URL is not set");
        return Ok(Mailer::Absent);
    };
    Mailer::smtp(url, settings.required("EAP_MAIL_FROM")?).context("EAP_SMTP_URL")
}

async fn refuse_mighty_login(url: &str) -> Result<()> {
    let Ok(Ok(client)) = tokio::time::timeout(LOOK, ::migrate::connect(url)).await else {
        tracing::warn!("the database cannot be reached yet");
        return Ok(());
    };
    match ::migrate::login_problem(&client).await? {
        Some(problem) => bail!("{problem}"),
        None => Ok(()),
    }
}
