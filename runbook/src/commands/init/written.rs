//! The text of a new `runbook.toml`: what was found, and as comments what was not.

use super::around::{Around, FoundEnvironment, FoundService};
use std::fmt::Write as _;

/// The whole file.
pub(crate) fn text(around: &Around) -> String {
    let mut text = "# Where the environments are, for `runbook` and `platform smoke --env`; docs/operate/runbook.md has every key.\n".to_owned();
    match &around.github {
        Some(github) => drop(write!(text, "\ngithub = {}\n", quoted(github))),
        None => text.push_str("\n# github = \"owner/name\"\n"),
    }
    if around.environments.is_empty() {
        text.push_str("\n[environments.development]\nurl = \"http://localhost:3000\"\n");
    }
    for found in &around.environments {
        environment(&mut text, found, &around.contexts);
    }
    for FoundService { name, image, dockerfile } in &around.services {
        let dockerfile = quoted(&dockerfile.display().to_string());
        let _ = write!(text, "\n[services.{}]\nimage = {}\ndockerfile = {dockerfile}\n", key(name), quoted(image));
    }
    text
}

fn environment(text: &mut String, found: &FoundEnvironment, contexts: &[String]) {
    let FoundEnvironment { name, values, host, context, namespace } = found;
    let _ = writeln!(text, "\n[environments.{}]", key(name));
    let _ = match host {
        Some(host) => writeln!(text, "url = {}", quoted(&format!("https://{host}"))),
        None if name == "development" => writeln!(text, "url = \"http://localhost:3000\""),
        None => writeln!(text, "# Not found anywhere: write where it is.\nurl = \"https://{name}.invalid\""),
    };
    if let Some(values) = values {
        let _ = writeln!(text, "values = {}", quoted(&values.display().to_string()));
    }
    if name == "development" && context.is_none() {
        return;
    }
    let place =
        |context: &str| format!("cluster = {{ context = {}, namespace = {} }}", quoted(context), quoted(namespace));
    let _ = match context {
        Some(context) => writeln!(text, "{}", place(context)),
        None if contexts.is_empty() => writeln!(text, "# {}", place("…")),
        None => writeln!(text, "# One of the contexts {}:\n# {}", contexts.join(", "), place("…")),
    };
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Bare where TOML allows it.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { name.to_owned() } else { quoted(name) }
}
