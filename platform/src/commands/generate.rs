//! `platform generate`: the reference, made from the code, committed and compared.

use crate::{Service, route_table, schema, server, settings};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write, fs, path::Path, process::ExitCode};
use types::PermissionName;

pub(crate) fn print_document(service: Option<Service>) -> Result<ExitCode> {
    let document = document(service.as_ref().map_or(&Service::ALL, std::slice::from_ref))?;
    Ok(super::print(&(document + "\n")))
}

/// Writes the files, or says which of them are out of date.
pub(crate) fn run(check: bool) -> Result<ExitCode> {
    let files = files()?;
    let is_current = |path: &&String| fs::read_to_string(path).is_ok_and(|text| text == files[*path]);
    let outdated: Vec<_> = files.keys().filter(|path| !is_current(path)).collect();
    for path in &outdated {
        println!("{} {path}", if check { "out of date:" } else { "wrote" });
        if !check {
            let folder = Path::new(path).parent().unwrap_or(Path::new(""));
            fs::create_dir_all(folder)?;
            fs::write(path, &files[*path]).with_context(|| (*path).clone())?;
        }
    }
    let leftover = leftover(&files)?;
    for path in &leftover {
        println!("{} {path}", if check { "nothing generates:" } else { "removed" });
        if !check {
            fs::remove_file(path).with_context(|| path.clone())?;
        }
    }
    let changed = outdated.len() + leftover.len();
    println!("{} generated files, {changed} {}", files.len(), if check { "out of date" } else { "changed" });
    Ok(if check && changed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Files in folders that hold nothing but what is generated, which nothing generates any more.
fn leftover(files: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let mut leftover = vec![];
    for folder in ["docs/reference/errors", "docs/reference/openapi"] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = format!("{folder}/{}", entry?.file_name().to_string_lossy());
            if !files.contains_key(&path) {
                leftover.push(path);
            }
        }
    }
    Ok(leftover)
}

fn files() -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::from([
        ("docs/reference/settings.md".to_owned(), settings::page()),
        ("docs/reference/events.md".to_owned(), events::Kind::page()),
        ("docs/reference/permissions.md".to_owned(), permissions()),
        ("docs/reference/errors/index.md".to_owned(), api::Code::index()),
        ("helm/api-platform/files/routes.yaml".to_owned(), route_table::yaml()),
        ("helm/api-platform/files/schema.yaml".to_owned(), schema_needs()),
        ("compose/nginx.conf".to_owned(), route_table::nginx()),
        ("docs/reference/openapi/all.json".to_owned(), document(&Service::ALL)? + "\n"),
    ]);
    for service in Service::ALL {
        files.insert(format!("docs/reference/openapi/{}.json", service.as_str()), document(&[service])? + "\n");
    }
    for code in api::Code::ALL {
        files.insert(format!("docs/reference/errors/{}.md", code.as_str()), code.page());
    }
    Ok(files)
}

fn document(services: &[Service]) -> Result<String> {
    // Some of the document's maps have no order of their own: two runs must write the same text.
    Ok(serde_json::to_string_pretty(&sorted(serde_json::to_value(server::document(services)?)?))?)
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// What the chart writes onto its Deployments: whether a version may run is asked without starting it.
fn schema_needs() -> String {
    format!("# Written by `platform generate`: the newest migration.\nneeds: {}\n", schema::needs())
}

fn permissions() -> String {
    let mut page = String::from(
        "# Permissions\n\nowner ⊃ admin ⊃ member ⊃ viewer: each role has what the ones after it have.\n\n| permission | least role | allows |\n|---|---|---|\n",
    );
    for permission in PermissionName::ALL {
        let (name, role) = (permission.as_str(), permission.least_role().as_str());
        let _ = writeln!(page, "| `{name}` | {role} | {} |", permission.meaning());
    }
    page
}
