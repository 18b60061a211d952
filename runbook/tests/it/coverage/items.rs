//! What the document holds, cut into items that can each be tested: pure, from Markdown to a list.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use regex::Regex;
use std::{mem, sync::LazyLock};

/// Of an item on the page, in characters.
const WIDTH: usize = 200;

/// Something that the document says, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The headings above it, the outermost first, joined by ` / `.
    pub(super) section: String,
    /// `heading`, `checkbox`, `step`, `note`, `command`, `payload`, `threshold` or `url`.
    pub(super) kind: &'static str,
    /// As the page shows it: one line, cut at [`WIDTH`] characters.
    pub(super) text: String,
}

/// Numbers that something is held against: versions, percentages, limits of time, counts and sizes.
static THRESHOLD: LazyLock<Regex> = LazyLock::new(|| {
    let numbers = [
        r"> \d+%",
        r"v\d+\.\d+\+",
        r"--(timeout|tail|replicas)[= ]\d+m?",
        r"(?i:\d+ hours?)\b",
        r"\w+ \d+-\d+ PM EST",
        r"\d+ availability zones",
        r"\b\w+(Seconds|Threshold|Count|Replicas|Percentage): \d+",
        r"\b(cpu|memory): \d+\w+",
    ];
    Regex::new(&numbers.join("|")).unwrap()
});

static URL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\w+://[^\s'"`]*[^\s'"`.)]"#).unwrap());

/// Goes through the document once, and keeps where it is.
#[derive(Default)]
struct Reader {
    headings: Vec<String>,
    items: Vec<Item>,
    /// A line wholly in bold, which the document uses as a heading below its headings.
    bold: Option<String>,
    text: String,
    /// As much of the text as is in bold.
    strong: String,
    in_strong: bool,
    checkbox: bool,
    /// The language of the block we are in.
    block: Option<String>,
}

/// Every item, in the document's order; what a section says twice is there once.
pub(super) fn items(document: &str) -> Vec<Item> {
    let mut reader = Reader::default();
    for event in Parser::new_ext(document, Options::ENABLE_TASKLISTS) {
        reader.read(event);
    }
    reader.items
}

impl Reader {
    fn read(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                self.flush();
                self.block = Some(language.into_string());
            }
            Event::Start(Tag::Link { dest_url, .. }) => self.add("url", &dest_url),
            Event::Start(Tag::Heading { level, .. }) => {
                self.flush();
                self.headings.truncate(level as usize - 1);
                self.bold = None;
            }
            Event::TaskListMarker(_) => self.checkbox = true,
            Event::Start(Tag::Strong) => self.in_strong = true,
            Event::End(TagEnd::Strong) => self.in_strong = false,
            Event::Text(text) => {
                self.text += &text;
                if self.in_strong {
                    self.strong += &text;
                }
            }
            Event::Code(text) => self.text.extend(["`", &text, "`"]),
            Event::SoftBreak | Event::HardBreak => self.text += " ",
            Event::End(TagEnd::Heading(_)) => {
                let heading = mem::take(&mut self.text);
                self.headings.push(heading.clone());
                self.add("heading", &heading);
            }
            Event::End(TagEnd::CodeBlock) => self.end_of_block(),
            Event::Start(Tag::Item | Tag::Paragraph) | Event::End(TagEnd::Item | TagEnd::Paragraph) => self.flush(),
            _ => {}
        }
    }

    /// Prose ends: of it a checkbox is kept whole, and of all else the numbers and addresses.
    fn flush(&mut self) {
        let (text, strong) = (mem::take(&mut self.text), mem::take(&mut self.strong));
        if !text.is_empty() && text == strong {
            let heading = text.trim_end_matches(':');
            self.bold = Some(heading.to_owned());
            self.add("heading", heading);
        }
        if mem::take(&mut self.checkbox) {
            self.add("checkbox", &text);
        }
        self.numbers_and_addresses(&text);
    }

    fn end_of_block(&mut self) {
        let text = mem::take(&mut self.text);
        if self.block.take().as_deref() == Some("bash") {
            self.shell(&text);
        } else {
            self.add("payload", &text);
        }
        self.numbers_and_addresses(&text);
    }

    /// Comments and commands; a command goes on after `\` and until the end of its heredoc.
    fn shell(&mut self, block: &str) {
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some(comment) = line.strip_prefix('#') {
                if starts_with_a_number(comment) {
                    self.add("step", comment);
                    continue;
                }
                let mut note = comment.to_owned();
                while let Some(more) =
                    lines.next_if(|line| line.strip_prefix('#').is_some_and(|more| !starts_with_a_number(more)))
                {
                    note = note + "\n" + &more[1..];
                }
                self.add("note", &note);
            } else if !line.trim().is_empty() {
                let mut command = line.to_owned();
                while command.ends_with('\\') {
                    command.truncate(command.len() - 1);
                    command += lines.next().unwrap_or_default().trim();
                }
                if let Some((code, _comment)) = command.split_once(" # ") {
                    let end = code.trim_end().len();
                    command.truncate(end);
                }
                if command.ends_with("<<EOF") {
                    for more in lines.by_ref() {
                        command = command + "\n" + more;
                        if more == "EOF" {
                            break;
                        }
                    }
                }
                self.add("command", &command);
            }
        }
    }

    fn numbers_and_addresses(&mut self, text: &str) {
        for found in THRESHOLD.find_iter(text) {
            self.add("threshold", found.as_str());
        }
        for found in URL.find_iter(text) {
            self.add("url", found.as_str());
        }
    }

    fn add(&mut self, kind: &'static str, text: &str) {
        // Everything stands below the title, which therefore says nothing.
        let below = if self.headings.len() > 1 { &self.headings[1..] } else { &self.headings[..] };
        let section = below.iter().chain(&self.bold).map(String::as_str).collect::<Vec<_>>().join(" / ");
        let item = Item { section, kind, text: shown(kind, text) };
        if !self.items.contains(&item) {
            self.items.push(item);
        }
    }
}

fn starts_with_a_number(comment: &str) -> bool {
    comment.trim_start().split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok())
}

/// One line of a Markdown table.
fn shown(kind: &str, text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(WIDTH).collect();
    if short.len() < line.len() {
        short += "…";
    }
    let short = short.replace('|', "\\|");
    if matches!(kind, "heading" | "checkbox" | "step" | "note") { short } else { format!("`{short}`") }
}
