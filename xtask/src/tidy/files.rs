//! Rules about single files: sizes, names, leftovers, links.

use super::Breach;
use std::path::Path;

const LINES: usize = 400;
const TEST_LINES: usize = 600;
const NAMES: [&str; 7] = ["utils", "util", "common", "helpers", "helper", "manager", "misc"];

/// What a file breaks.
pub(crate) fn breaches(file: &str, text: &str) -> Vec<Breach> {
    let mut found = Vec::new();
    let mut add = |line: usize, rule| found.push(Breach { file: file.to_owned(), line, rule });
    if text.contains('\r') {
        add(1, "has CRLF line ends: use LF");
    }
    if has_extension(file, "rs") {
        rust(file, text, &mut add);
    }
    if has_extension(file, "md") {
        links(file, text, &mut add);
    }
    for (number, line) in (1..).zip(text.lines()) {
        if line.ends_with([' ', '\t']) && !has_extension(file, "snap") {
            add(number, "has trailing blanks: remove them");
        }
        if left_over(line) {
            add(number, "is left for later: do it now, or open an issue");
        }
    }
    found
}

fn rust(file: &str, text: &str, add: &mut impl FnMut(usize, &'static str)) {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if stem == "mod" {
        add(1, "is a mod.rs: name it after its module, beside the folder");
    }
    if NAMES.contains(&stem) {
        add(1, "has a name that says nothing: name its subject");
    }
    if !text.starts_with("//!") {
        add(1, "does not begin with `//!`: say why the file exists");
    }
    let is_test = file.contains("/tests/") || file.starts_with("tests/");
    if text.lines().count() > if is_test { TEST_LINES } else { LINES } {
        add(1, "is too long: 400 lines, 600 in tests; split it by subject");
    }
}

/// The words are put together here so that this file does not break its own rule.
fn left_over(line: &str) -> bool {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
    ];
    words.iter().any(|word| line.contains(word))
}

/// Links to files of the project must lead somewhere.
fn links(file: &str, text: &str, add: &mut impl FnMut(usize, &'static str)) {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    for (number, line) in (1..).zip(text.lines()) {
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:") && !folder.join(path).exists()
            {
                add(number, "links to a file that does not exist");
            }
        }
    }
}

fn has_extension(file: &str, wanted: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(file: &str, text: &str) -> Vec<&'static str> {
        breaches(file, text).into_iter().map(|breach| breach.rule.split(':').next().unwrap_or_default()).collect()
    }

    #[test]
    fn each_rule_is_held() {
        assert_eq!(rules("a/login.rs", "//! Why.\n"), [""; 0]);
        assert_eq!(rules("a/login.rs", "fn x() {}\n"), ["does not begin with `//!`"]);
        assert_eq!(rules("a/mod.rs", "//! Why.\n"), ["is a mod.rs"]);
        assert_eq!(rules("a/utils.rs", "//! Why.\n"), ["has a name that says nothing"]);
        assert_eq!(rules("a/b.rs", &format!("//! Why.\n{}", "//\n".repeat(400))), ["is too long"]);
        assert_eq!(rules("a.txt", "blank \n"), ["has trailing blanks"]);
        assert_eq!(rules("a.txt", concat!("TO", "DO later\n")), ["is left for later"]);
        assert_eq!(
            rules("a.md", "[x](nowhere.md) [y](https://example.com)\n"),
            ["links to a file that does not exist"]
        );
    }
}
