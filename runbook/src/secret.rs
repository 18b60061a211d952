//! Secrets that `runbook.toml` names, fetched when they are needed and kept nowhere.

use crate::{failure::Failure, home, programs::aws::Aws};
use runbook_file::{Environment, Secret};
use std::{env, fs, time::Duration};

const LIMIT: Duration = Duration::from_secs(10);

/// The secret itself; `example` is what a variable could be set to.
pub(crate) async fn value(secret: &Secret, environment: &Environment, example: &str) -> Result<String, Failure> {
    let value = match secret {
        Secret::Env(name) => env::var(name)
            .map_err(|_| Failure::failed(format!("{name} is not set")).cured_by(format!("export {name}={example}")))?,
        Secret::File(path) => {
            let path = home::expand(path);
            let shown = path.display();
            fs::read_to_string(&path)
                .map_err(|error| Failure::failed(format!("{shown}: {error}")).cured_by(format!("ls -l {shown}")))?
        }
        Secret::AwsSecret(id) => {
            let account = environment
                .aws
                .as_ref()
                .ok_or_else(|| Failure::failed("Secrets Manager needs aws").cured_by("in runbook.toml: aws = { … }"))?;
            let words = ["secretsmanager", "get-secret-value", "--secret-id", id];
            let call = Aws(account).call(words).args(["--query", "SecretString", "--output", "text"]).limit(LIMIT);
            call.run().await.map_err(|error| {
                Failure::failed(format!("secret {id} cannot be read: {error}"))
                    .cured_by(format!("aws secretsmanager describe-secret --secret-id {id}"))
            })?
        }
    };
    Ok(value.trim().to_owned())
}
