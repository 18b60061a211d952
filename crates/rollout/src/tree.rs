//! A standing on a screen: failures first, then what waits, then what is done; what does not fit is counted.

use crate::{
    clock,
    doom::Doom,
    standing::{Mark, PodLine, Revision, Service, Standing, State},
};
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use textwrap::{Options, core::display_width};

/// Of a line, in characters: what is narrower or wider is drawn as one of these.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=200;

/// What a screen can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    /// Of a line, in characters, from 60 to 200.
    pub width: usize,
    /// Lines at most, at least one.
    pub height: usize,
    /// Only ASCII.
    pub is_ascii: bool,
    /// With colours, as escape sequences, which take no width.
    pub has_colour: bool,
}

/// The lines of a tree: services, the newest revision and older ones, pods.
pub fn tree(standing: &Standing, canvas: Canvas) -> Vec<String> {
    let canvas = Canvas { width: canvas.width.clamp(*WIDTHS.start(), *WIDTHS.end()), ..canvas };
    let mut lines: Vec<Line> = Vec::new();
    for service in &standing.services {
        service_lines(service, standing.at, canvas, &mut lines);
    }
    fit(lines, canvas)
}

/// A line, and what it is worth when not all fit.
struct Line {
    text: String,
    of: Part,
    worth: Worth,
}

/// What a line shows, to be counted when it is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Service,
    Reason,
    Revision,
    Pod,
}

/// What is left out first comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    PodThatIsWell,
    Revision,
    PodThatWaits,
    Cure,
    PodThatFails,
    Done,
    Waiting,
    Evidence,
    Doomed,
}

fn service_lines(service: &Service, now: Timestamp, canvas: Canvas, lines: &mut Vec<Line>) {
    let (sign, word, worth) = match &service.state {
        State::Doomed { .. } => (Sign::Bad, "doomed".to_owned(), Worth::Doomed),
        State::Waiting { why } => (Sign::Waits, format!("waiting: {why}"), Worth::Waiting),
        State::Complete => (Sign::Good, "complete".to_owned(), Worth::Done),
    };
    let text = canvas.line(0, sign, &format!("{}  {word}", service.name), Style::new().bold());
    lines.push(Line { text, of: Part::Service, worth });
    for doom in service.state.dooms() {
        doom_lines(doom, now, canvas, lines);
    }
    for revision in &service.revisions {
        revision_lines(revision, now, canvas, lines);
    }
}

fn doom_lines(doom: &Doom, now: Timestamp, canvas: Canvas, lines: &mut Vec<Line>) {
    let pods = match doom.pods.len() {
        0 | 1 => String::new(),
        pods => format!("{pods} pods, "),
    };
    let since = clock::age(doom.since.at, now);
    let evidence = format!("{}: {} ({pods}since {since})", doom.cause, doom.evidence);
    let mut add = |text: &str, style: Style, worth: Worth| {
        let options = Options::new(canvas.width - 4).break_words(true);
        for line in textwrap::wrap(text, options) {
            lines.push(Line {
                text: format!("    {}", canvas.paint(style, &canvas.letters(&line))),
                of: Part::Reason,
                worth,
            });
        }
    };
    add(&evidence, AnsiColor::Red.on_default(), Worth::Evidence);
    add(&format!("cure: {}", doom.cure), Style::new(), Worth::Cure);
}

fn revision_lines(revision: &Revision, now: Timestamp, canvas: Canvas, lines: &mut Vec<Line>) {
    let Revision { ready, wanted, .. } = revision;
    let number = revision.number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let age = if revision.is_newest { "new" } else { "old" };
    let images = revision.images.join(", ");
    let text = format!("revision {number} ({age})  {ready}/{wanted} ready  {images}");
    lines.push(Line {
        text: canvas.line(1, Sign::None, &text, Style::new().dimmed()),
        of: Part::Revision,
        worth: Worth::Revision,
    });
    for pod in &revision.pods {
        let worth = match pod.mark {
            Mark::Doomed => Worth::PodThatFails,
            Mark::Waiting => Worth::PodThatWaits,
            Mark::Ready | Mark::Ending => Worth::PodThatIsWell,
        };
        lines.push(Line { text: pod_line(pod, now, canvas), of: Part::Pod, worth });
    }
}

/// The end of a pod's name is its own; the beginning is the service's, which stands above.
fn pod_line(pod: &PodLine, now: Timestamp, canvas: Canvas) -> String {
    let sign = match pod.mark {
        Mark::Doomed => Sign::Bad,
        Mark::Waiting => Sign::Waits,
        Mark::Ready => Sign::Good,
        Mark::Ending => Sign::Ends,
    };
    let PodLine { ready, containers, .. } = pod;
    let restarts = match pod.restarts {
        0 => String::new(),
        1 => "1 restart".to_owned(),
        restarts => format!("{restarts} restarts"),
    };
    let told: Vec<_> = [pod.reason.as_str(), &restarts].into_iter().filter(|word| !word.is_empty()).collect();
    let room = (canvas.width / 3).clamp(22, 48);
    let name = canvas.last_letters(&pod.name, room);
    let age = pod.created.map(|created| clock::age(created, now)).unwrap_or_default();
    let text = format!("{name:<room$}  {ready}/{containers}  {age:>4}  {}", told.join(", "));
    canvas.line(2, sign, text.trim_end(), Style::new())
}

#[derive(Clone, Copy)]
enum Sign {
    Bad,
    Waits,
    Good,
    Ends,
    None,
}

impl Canvas {
    /// Indented by a level, behind its sign, cut to the width.
    fn line(self, level: usize, sign: Sign, text: &str, style: Style) -> String {
        let (fine, plain, colour) = match sign {
            Sign::Bad => ("✗", "x", Some(AnsiColor::Red)),
            Sign::Waits => ("◌", "~", Some(AnsiColor::Yellow)),
            Sign::Good => ("✓", "+", Some(AnsiColor::Green)),
            Sign::Ends => ("▽", "-", None),
            Sign::None => ("", "", None),
        };
        let letter = if self.is_ascii { plain } else { fine };
        let before = "  ".repeat(level);
        let gap = if letter.is_empty() { "" } else { " " };
        let text = self.first_letters(text, self.width - before.len() - display_width(letter) - gap.len());
        let letter = colour.map_or_else(|| letter.to_owned(), |colour| self.paint(colour.on_default(), letter));
        format!("{before}{letter}{gap}{}", self.paint(style, &text))
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.has_colour && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn letters(self, text: &str) -> String {
        if self.is_ascii {
            text.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect()
        } else {
            text.to_owned()
        }
    }

    fn cut(self) -> &'static str {
        if self.is_ascii { "..." } else { "…" }
    }

    fn first_letters(self, text: &str, room: usize) -> String {
        let text = self.letters(text);
        if display_width(&text) <= room {
            return text;
        }
        let mut kept = String::new();
        for letter in text.chars() {
            if display_width(&kept) + display_width(letter.encode_utf8(&mut [0; 4])) + display_width(self.cut()) > room
            {
                break;
            }
            kept.push(letter);
        }
        kept + self.cut()
    }

    /// Names of objects are ASCII.
    fn last_letters(self, name: &str, room: usize) -> String {
        if name.len() <= room {
            return name.to_owned();
        }
        let kept: String = name.chars().skip(name.chars().count() + self.cut().chars().count() - room).collect();
        format!("{}{kept}", self.cut())
    }
}

/// Leaves out what is worth least, from the end, until the rest and the line that counts it have room.
fn fit(mut lines: Vec<Line>, canvas: Canvas) -> Vec<String> {
    let height = canvas.height.max(1);
    let mut left_out = Vec::new();
    while lines.len() + usize::from(!left_out.is_empty()) > height {
        let worths = lines.iter().enumerate().rev().map(|(place, line)| (line.worth, place));
        let Some((_, place)) = worths.min_by_key(|(worth, _)| *worth) else { break };
        left_out.push(lines.remove(place).of);
    }
    let mut texts: Vec<_> = lines.into_iter().map(|line| line.text).collect();
    if !left_out.is_empty() {
        let parts = [
            (Part::Service, "service"),
            (Part::Revision, "revision"),
            (Part::Pod, "pod"),
            (Part::Reason, "line of reasons"),
        ];
        let counted = parts.into_iter().filter_map(|(part, word)| {
            let count = left_out.iter().filter(|of| **of == part).count();
            match count {
                0 => None,
                1 => Some(format!("1 {word}")),
                _ if part == Part::Reason => Some(format!("{count} lines of reasons")),
                _ => Some(format!("{count} {word}s")),
            }
        });
        let counted: Vec<_> = counted.collect();
        texts.push(canvas.line(0, Sign::None, &format!("not shown: {}", counted.join(", ")), Style::new().dimmed()));
    }
    texts
}
