//! Rows of things that are alike, for people: what does not fit is left out, the least needed first.

use crate::{
    page::cut,
    screen::{Form, Screen},
};
use anstyle::Style;
use std::fmt::Write as _;

const BOLD: Style = Style::new().bold();
/// Between two columns.
const GAP: usize = 2;

/// With a heading over each column.
pub(crate) struct Table<const COLUMNS: usize> {
    headings: [&'static str; COLUMNS],
    /// The columns in the order in which they are left out.
    spare: &'static [usize],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(headings: [&'static str; COLUMNS], spare: &'static [usize]) -> Self {
        Self { headings, spare, rows: vec![] }
    }

    pub(crate) fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells);
    }

    /// In a pipe: a line a row, everything in it, with a tab between two cells.
    pub(crate) fn render(&self, screen: &Screen) -> String {
        if screen.form != Form::Human {
            return self.rows.iter().map(|row| row.join("\t") + "\n").collect();
        }
        let widths = self.widths(screen.width - GAP);
        let mut text = String::from("\n");
        let headings = self.headings.map(str::to_owned);
        let line = line(&headings, &widths);
        let _ = if screen.has_colour { writeln!(text, "  {BOLD}{line}{BOLD:#}") } else { writeln!(text, "  {line}") };
        for row in &self.rows {
            let _ = writeln!(text, "  {}", self::line(row, &widths));
        }
        text + "\n"
    }

    /// None: the column is left out.
    fn widths(&self, room: usize) -> [Option<usize>; COLUMNS] {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].as_str()).chain([self.headings[column]]);
            cells.map(textwrap::core::display_width).max()
        };
        let mut widths: [Option<usize>; COLUMNS] = std::array::from_fn(width);
        let sum = |widths: &[Option<usize>]| widths.iter().flatten().map(|width| width + GAP).sum::<usize>();
        for column in self.spare {
            if sum(&widths) <= room + GAP {
                break;
            }
            widths[*column] = None;
        }
        let too_much = sum(&widths).saturating_sub(room + GAP);
        if let Some(last) = widths.iter_mut().flatten().next_back() {
            *last = last.saturating_sub(too_much).max(1);
        }
        widths
    }
}

fn line<const COLUMNS: usize>(row: &[String; COLUMNS], widths: &[Option<usize>; COLUMNS]) -> String {
    let cells = row.iter().zip(widths).filter_map(|(cell, width)| Some(padded(cell, (*width)?)));
    cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
}

fn padded(cell: &str, width: usize) -> String {
    let taken = textwrap::core::display_width(cell);
    if taken <= width {
        return format!("{cell}{}", " ".repeat(width - taken));
    }
    cut(cell, width)
}
