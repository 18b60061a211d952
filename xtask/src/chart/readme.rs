//! The chart's README lists every value with its default: people read it instead of `values.yaml`.

use super::{CHART, Findings};
use anyhow::Result;
use std::{collections::BTreeMap, fs};

/// Names and defaults of `values.yaml` and of the table are the same.
pub(super) fn check() -> Result<Findings> {
    let values = values(&fs::read_to_string(format!("{CHART}/values.yaml"))?);
    let told = table(&fs::read_to_string(format!("{CHART}/README.md"))?);
    let of = |from: &BTreeMap<String, String>, name: &str| from.get(name).cloned().unwrap_or_else(|| "nothing".into());
    let names: std::collections::BTreeSet<_> = values.keys().chain(told.keys()).collect();
    let different = names.into_iter().filter(|name| values.get(*name) != told.get(*name));
    Ok(different
        .map(|name| format!("{name}: values.yaml says {}, README.md {}", of(&values, name), of(&told, name)))
        .collect())
}

/// Each `a.b.c` that has a value on its line, as our `values.yaml` is written: two blanks a level, lists on one line.
fn values(yaml: &str) -> BTreeMap<String, String> {
    let (mut path, mut found) = (Vec::<&str>::new(), BTreeMap::new());
    for line in yaml.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some((name, value)) = line.split_once(':') else { continue };
        path.truncate(name.len().saturating_sub(name.trim_start().len()) / 2);
        path.push(name.trim());
        if !value.trim().is_empty() {
            found.insert(path.join("."), value.trim().to_owned());
        }
    }
    found
}

fn table(markdown: &str) -> BTreeMap<String, String> {
    let rows = markdown.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | `"));
    rows.filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once("` |")?.0.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_their_full_names() {
        let read = values("# a: 1\na: 1\nb:\n  # why\n  c: []\n  d:\n    e: x:y\nf: \"\"\n");
        let wanted = [("a", "1"), ("b.c", "[]"), ("b.d.e", "x:y"), ("f", "\"\"")];
        assert_eq!(read, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(table("| value | default |\n| `b.c` | `[]` | why |\n"), values("b:\n  c: []\n"));
    }
}
