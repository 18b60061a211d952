//! Mail: jobs hold ids alone; the worker makes the token when it sends, and keeps its digest.

use crate::{
    Identity,
    store::{mail_jobs, mail_jobs::MailJobRow, pending_registrations, users},
};
use api::{App, Code, Policy, Problem, smoke};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use db::{DbError, SystemTx, Work};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, message::header::ContentType};
use serde_json::json;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use types::{Email, Timestamp, Uuid};

/// Without a wake-up in this process.
const POLL: Duration = Duration::from_millis(500);
/// Mails kept by the catcher.
const CAUGHT: usize = 200;
const GIVE_UP_AFTER: i32 = 12;
/// After an error of the database.
const RETRY: Duration = Duration::from_secs(2);
/// Mails that somebody without an account can have sent to an address: nobody's mailbox is flooded through us.
pub(crate) const PER_ADDRESS: Policy = Policy { name: "mail_address", quota: 5, window: Duration::from_hours(1) };

/// Where mail goes.
#[derive(Clone)]
pub enum Mailer {
    /// To an SMTP server, from an address.
    Smtp(AsyncSmtpTransport<Tokio1Executor>, String),
    /// Nowhere: it is shown at `/dev/mail`.
    Caught(Arc<Mutex<Vec<CaughtMail>>>),
    /// There is no server: whoever would need a mail is told so before anything is written.
    Absent,
}

/// A mail that was not sent.
#[derive(Debug, Clone, serde::Serialize)]
pub struct CaughtMail {
    /// When.
    pub at: Timestamp,
    /// To whom.
    pub to: String,
    /// About what.
    pub subject: String,
    /// What it says.
    pub text: String,
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// An address that SMTP does not take.
    #[error("an address cannot be used")]
    Address(#[from] lettre::address::AddressError),
    /// The mail cannot be put together.
    #[error("the mail cannot be put together")]
    Message(#[from] lettre::error::Error),
    /// There is no server.
    #[error("no mail server is set")]
    Absent,
    /// The server.
    #[error("the mail server refused")]
    Smtp(#[from] lettre::transport::smtp::Error),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl Mailer {
    /// One that keeps what it gets.
    pub fn catching() -> Self {
        Self::Caught(Arc::default())
    }

    /// To the server of an URL such as `smtps://user:password@host`.
    pub fn smtp(url: &str, from: &str) -> Result<Self, MailerError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.timeout(Some(Duration::from_secs(20)));
        Ok(Self::Smtp(transport.build(), from.to_owned()))
    }

    /// What was caught, oldest first.
    pub fn caught(&self) -> Vec<CaughtMail> {
        match self {
            Self::Caught(mails) => mails.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Self::Smtp(..) | Self::Absent => Vec::new(),
        }
    }

    async fn send(&self, mail: CaughtMail) -> Result<(), MailerError> {
        match self {
            Self::Caught(mails) => {
                let mut mails = mails.lock().unwrap_or_else(PoisonError::into_inner);
                if mails.len() == CAUGHT {
                    mails.remove(0);
                }
                mails.push(mail);
            }
            Self::Absent => return Err(MailerError::Absent),
            Self::Smtp(transport, from) => {
                let message = Message::builder().from(from.parse()?).to(mail.to.parse()?).subject(mail.subject);
                transport.send(message.header(ContentType::TEXT_PLAIN).body(mail.text)?).await?;
            }
        }
        Ok(())
    }
}

impl Identity {
    /// Refuses what would end with a mail that nobody can send; the smoke test's are kept, not sent.
    pub(crate) fn can_mail(&self, to: &Email) -> Result<(), Problem> {
        let is_kept = self.app.config.smoke.as_ref().is_some_and(|smoke| smoke.is_synthetic(to.as_str()));
        match self.mailer {
            Mailer::Absent if !is_kept => Err(Code::MailNotSetUp.into()),
            _ => Ok(()),
        }
    }

    /// Somebody put a mail job into a transaction that was committed.
    pub(crate) fn mail_waits(&self) {
        self.mail_waits.notify_one();
    }
}

/// Sends what is due until told to stop.
pub(crate) async fn run(identity: Identity, stop: CancellationToken) {
    let mut was_good = true;
    while !stop.is_cancelled() {
        let sent = send_due(&identity).await;
        if let Err(error) = &sent
            && was_good
        {
            tracing::warn!(error = error as &dyn std::error::Error, "mail cannot be sent just now");
        }
        was_good = sent.is_ok();
        let wait = match sent {
            Ok(true) => continue,
            Ok(false) => POLL,
            Err(_) => RETRY,
        };
        let waited = timeout(wait, identity.mail_waits.notified());
        stop.run_until_cancelled(waited).await;
    }
}

/// One job: leased, its token made, sent without a transaction, and done. Whether there was one.
async fn send_due(identity: &Identity) -> Result<bool, MailerError> {
    let app = &identity.app;
    let tx = app.db.system(Work::Mail).await?;
    let Some(job) = mail_jobs::claim(&tx, app.clock.now()).await? else { return Ok(false) };
    let mail = write(app, &tx, &job).await?;
    tx.commit().await?;
    let Some(mail) = mail else { return finish(app, job.id).await };
    if app.config.smoke.as_ref().is_some_and(|smoke| smoke.is_synthetic(&mail.to)) {
        return keep(app, job.id, &mail).await;
    }
    match identity.mailer.send(mail).await {
        Ok(()) => finish(app, job.id).await,
        Err(error) if job.attempts < GIVE_UP_AFTER => {
            // The lease runs out and somebody tries again.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                job = job.id,
                "a mail was refused, it is tried again"
            );
            Ok(true)
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, job = job.id, "a mail was refused too often");
            finish(app, job.id).await
        }
    }
}

/// Mail to the smoke test's accounts is never sent.
async fn keep(app: &App, job: i64, mail: &CaughtMail) -> Result<bool, MailerError> {
    let tx = app.db.system(Work::Smoke).await?;
    smoke::keep_mail(app, &tx, &mail.to, &json!({ "subject": mail.subject, "text": mail.text })).await?;
    tx.commit().await?;
    finish(app, job).await
}

async fn finish(app: &App, job: i64) -> Result<bool, MailerError> {
    let tx = app.db.system(Work::Mail).await?;
    mail_jobs::delete(&tx, job).await?;
    tx.commit().await?;
    Ok(true)
}

/// The mail of a job; none: what it was about is gone.
async fn write(app: &App, tx: &SystemTx, job: &MailJobRow) -> Result<Option<CaughtMail>, DbError> {
    let at = app.clock.now();
    if let Some(id) = job.registration_id {
        let secret = app.rng.bytes::<32>();
        let digest = app.secrets.digest("verification", &secret);
        let Some(pending) = pending_registrations::set_token(tx, id, &digest, at).await? else { return Ok(None) };
        let link = format!("{}/verify#token={}", app.config.public_url, verification_token(id, &secret));
        let text = format!(
            "Somebody, hopefully you, wants an account with this address.\n\nOpen this link and enter the password that \
             you chose:\n\n{link}\n\nThe link ends after 24 hours. If it was not you, do nothing.\n"
        );
        return Ok(Some(CaughtMail { at, to: pending.email, subject: "Confirm your address".to_owned(), text }));
    }
    let Some(user) = job.user_id else { return Ok(None) };
    let Some(user) = users::by_id(tx, user).await? else { return Ok(None) };
    let text = "Somebody, hopefully you, wanted a new account with this address, but there is one already.\n\nSign in with \
                it. If you forgot the password, ask for a new one.\n";
    let subject = "You have an account already".to_owned();
    Ok(Some(CaughtMail { at, to: user.email, subject, text: text.to_owned() }))
}

/// What the link carries: which registration, and the proof.
fn verification_token(id: Uuid, secret: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode([&id.as_bytes()[..], secret].concat())
}

/// The parts of a link's token.
pub(crate) fn parse_verification_token(text: &str) -> Option<(Uuid, Vec<u8>)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 48)?;
    let (id, secret) = bytes.split_at_checked(16)?;
    Some((Uuid::from_slice(id).ok()?, secret.to_vec()))
}
