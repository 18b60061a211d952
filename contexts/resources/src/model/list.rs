//! How resources can be listed: what an index answers in order, and nothing else.
//!
//! Every condition and every cursor is a pair of bounds on (value, id), both exclusive: `gte:v` starts before the first id
//! at `v`, `gt:v` after the last. So one statement an order serves all of them.

use super::{
    declared::{DeclaredField, FieldState},
    field::{FieldType, MAX_TEXT, Value},
};
use types::{ResourceId, Timestamp};
use uuid::Uuid;

/// Why a list cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The text does not follow the grammar, or a value is not of the field's type.
    Malformed(String),
    /// No index has this order.
    NotIndexed(String),
    /// It is declared, but not every document is indexed by it.
    NotReady(String, FieldState),
}

/// What the list is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Id,
    Field,
}

/// A condition on a declared field and an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct List {
    /// None: all resources, by id.
    pub(crate) field: Option<(String, Range)>,
    pub(crate) order: Order,
    pub(crate) descending: bool,
    /// Only ids beyond this one,
    pub(crate) after: ResourceId,
    /// and before this one.
    pub(crate) before: ResourceId,
}

impl List {
    fn new(field: Option<(String, Range)>, order: Order, descending: bool) -> Self {
        Self { field, order, descending, after: FIRST_ID, before: LAST_ID }
    }

    /// Only what follows a row of an earlier page. None: the list has no such row.
    pub(crate) fn continue_after(&mut self, id: ResourceId, value: Option<&str>) -> Option<()> {
        match (self.order, &mut self.field) {
            (Order::Field, Some((_, range))) => {
                let key = Key { value: range.low.value.kind().parse(value?)?, id };
                *(if self.descending { &mut range.high } else { &mut range.low }) = key;
            }
            _ if self.descending => self.before = id,
            _ => self.after = id,
        }
        Some(())
    }
}

/// Both ends excluded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: Key,
    pub(crate) high: Key,
}

/// A place in the order of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) value: Value,
    pub(crate) id: ResourceId,
}

/// Before every id.
pub(crate) const FIRST_ID: ResourceId = ResourceId(Uuid::nil());
/// After every id.
pub(crate) const LAST_ID: ResourceId = ResourceId(Uuid::max());

impl Range {
    /// Everything that has a value.
    fn all(kind: FieldType) -> Self {
        let (low, high) = match kind {
            FieldType::Text => {
                // Longer than any indexed text, of the highest character.
                let high = "\u{10ffff}".repeat(MAX_TEXT / 4 + 1);
                (Value::Text(String::new()), Value::Text(high))
            }
            FieldType::Number => (Value::Number(f64::NEG_INFINITY), Value::Number(f64::INFINITY)),
            FieldType::Time => (
                Value::Time(Timestamp::from_millis(super::field::MIN_TIME - 1)),
                Value::Time(Timestamp::from_millis(super::field::MAX_TIME + 1)),
            ),
        };
        Self { low: Key { value: low, id: FIRST_ID }, high: Key { value: high, id: LAST_ID } }
    }

    fn is_one_value(&self) -> bool {
        self.low.value == self.high.value
    }

    fn narrow(&mut self, operator: &str, value: Value) -> Option<()> {
        match operator {
            "eq" => {
                self.low = Key { value: value.clone(), id: FIRST_ID };
                self.high = Key { value, id: LAST_ID };
            }
            "gte" => self.low = Key { value, id: FIRST_ID },
            "gt" => self.low = Key { value, id: LAST_ID },
            "lt" => self.high = Key { value, id: FIRST_ID },
            "lte" => self.high = Key { value, id: LAST_ID },
            _ => return None,
        }
        Some(())
    }
}

/// One `field:operator:value`.
type Condition<'a> = (&'a str, &'a str, &'a str);

/// `field:eq:value`, `field:gte:value`, or two of the latter joined by a comma.
fn conditions(filter: &str) -> Result<Vec<Condition<'_>>, Refusal> {
    let first = condition(filter)?;
    // A comma may be part of a value: the second condition begins where the same field is named again.
    let second = ["gt", "gte", "lt", "lte"].iter().filter(|_| first.1 != "eq").find_map(|operator| {
        let start = format!(",{}:{operator}:", first.0);
        filter.find(&start).map(|at| (&filter[..at], &filter[at + 1..]))
    });
    match second {
        None => Ok(vec![first]),
        Some((first, second)) => Ok(vec![condition(first)?, condition(second)?]),
    }
}

fn condition(text: &str) -> Result<Condition<'_>, Refusal> {
    let malformed = || Refusal::Malformed("a filter is field:eq:value, or gt, gte, lt, lte in place of eq".to_owned());
    let (field, rest) = text.split_once(':').ok_or_else(malformed)?;
    let (operator, value) = rest.split_once(':').ok_or_else(malformed)?;
    if ["eq", "gt", "gte", "lt", "lte"].contains(&operator) { Ok((field, operator, value)) } else { Err(malformed()) }
}

fn declared<'a>(indexed: &'a [DeclaredField], field: &str) -> Result<&'a DeclaredField, Refusal> {
    match indexed.iter().find(|known| known.field == field) {
        Some(known) if known.state == FieldState::Ready => Ok(known),
        Some(known) => Err(Refusal::NotReady(known.field.clone(), known.state)),
        None => Err(Refusal::NotIndexed(format!("{field} is not declared in indexed"))),
    }
}

fn filtered(indexed: &[DeclaredField], filter: &str) -> Result<(String, Range), Refusal> {
    let conditions = conditions(filter)?;
    let field = declared(indexed, conditions[0].0)?;
    let mut range = Range::all(field.kind);
    let mut ends = vec![];
    for (_, operator, text) in conditions {
        let wrong = || Refusal::Malformed(format!("{} cannot be compared with this value", field.field));
        range.narrow(operator, field.kind.parse(text).ok_or_else(wrong)?).ok_or_else(wrong)?;
        ends.push(operator.starts_with('g'));
    }
    if ends == [true, true] || ends == [false, false] {
        return Err(Refusal::Malformed("a range has one lower and one upper end".to_owned()));
    }
    Ok((field.field.clone(), range))
}

/// The list that `filter` and `sort` ask for. Without `sort`: by the filtered field, else by id.
pub(crate) fn parse(indexed: &[DeclaredField], filter: Option<&str>, sort: Option<&str>) -> Result<List, Refusal> {
    let (name, descending) = match sort {
        Some(sort) => (Some(sort.trim_start_matches('-')), sort.starts_with('-')),
        None => (None, false),
    };
    let field = filter.map(|filter| filtered(indexed, filter)).transpose()?;
    match (field, name) {
        (None, None | Some("id")) => Ok(List::new(None, Order::Id, descending)),
        // At one value, the index is in the order of ids.
        (Some(field), Some("id")) if field.1.is_one_value() => Ok(List::new(Some(field), Order::Field, descending)),
        (Some(field), Some("id")) => Ok(List::new(Some(field), Order::Id, descending)),
        (Some((field, range)), None) => Ok(List::new(Some((field, range)), Order::Field, descending)),
        (Some((field, range)), Some(name)) if field == name => {
            Ok(List::new(Some((field, range)), Order::Field, descending))
        }
        (Some((field, _)), Some(name)) => {
            Err(Refusal::NotIndexed(format!("a list filtered by {field} can be sorted by it or by id, not by {name}")))
        }
        (None, Some(name)) => {
            let field = declared(indexed, name)?;
            let range = Range::all(field.kind);
            Ok(List::new(Some((field.field.clone(), range)), Order::Field, descending))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexed() -> Vec<DeclaredField> {
        [("priority", FieldType::Number), ("title", FieldType::Text), ("due", FieldType::Time)]
            .map(|(field, kind)| DeclaredField { field: field.to_owned(), kind, state: FieldState::Ready })
            .to_vec()
    }

    fn range(filter: &str) -> Range {
        parse(&indexed(), Some(filter), None).unwrap().field.unwrap().1
    }

    #[test]
    fn each_end_of_a_range_lies_on_the_right_side_of_its_value() {
        let got = range("priority:gte:2,priority:lt:5");
        assert_eq!(got.low, Key { value: Value::Number(2.0), id: FIRST_ID });
        assert_eq!(got.high, Key { value: Value::Number(5.0), id: FIRST_ID });
        let got = range("priority:lte:5,priority:gt:2");
        assert_eq!((got.low.id, got.high.id), (LAST_ID, LAST_ID));
    }

    #[test]
    fn a_value_may_have_commas_and_colons() {
        assert_eq!(range("title:eq:a, b:c").low.value, Value::Text("a, b:c".to_owned()));
        assert_eq!(range("title:gte:a,b,title:lt:c").low.value, Value::Text("a,b".to_owned()));
        assert!(matches!(range("due:eq:2025-01-17T14:00:00Z").low.value, Value::Time(_)));
    }

    #[test]
    fn what_no_index_answers_is_refused() {
        let refused = |filter, sort| parse(&indexed(), filter, sort).unwrap_err();
        for (filter, sort) in
            [(Some("other:eq:1"), None), (None, Some("other")), (Some("priority:eq:1"), Some("title"))]
        {
            assert!(matches!(refused(filter, sort), Refusal::NotIndexed(_)), "{filter:?} {sort:?}");
        }
        for filter in ["priority", "priority:eq", "priority:like:1", "priority:eq:x", "priority:eq:NaN", "due:eq:1"] {
            assert!(matches!(refused(Some(filter), None), Refusal::Malformed(_)), "{filter}");
        }
        assert!(matches!(refused(Some("priority:gt:1,priority:gte:2"), None), Refusal::Malformed(_)));
    }

    #[test]
    fn a_field_that_is_not_ready_is_refused_as_such() {
        for state in [FieldState::Building, FieldState::Failed] {
            let indexed = [DeclaredField { field: "due".to_owned(), kind: FieldType::Time, state }];
            let refusal = Err(Refusal::NotReady("due".to_owned(), state));
            assert_eq!(parse(&indexed, None, Some("-due")), refusal);
            assert_eq!(parse(&indexed, Some("due:gt:2025-01-17T14:00:00Z"), None), refusal);
        }
    }

    #[test]
    fn a_later_page_starts_behind_the_last_row_whichever_way_the_list_runs() {
        let id = ResourceId(Uuid::from_u128(7));
        let continued = |sort, value: &str| {
            let mut list = parse(&indexed(), None, Some(sort)).unwrap();
            list.continue_after(id, Some(value)).map(|()| list)
        };
        assert_eq!(continued("priority", "0.1").unwrap().field.unwrap().1.low, Key { value: Value::Number(0.1), id });
        assert_eq!(
            continued("-title", "x").unwrap().field.unwrap().1.high,
            Key { value: Value::Text("x".to_owned()), id }
        );
        assert_eq!(continued("-id", "").unwrap().before, id);
        assert_eq!(continued("priority", "x"), None);
    }

    #[test]
    fn an_order_runs_either_way_by_id_or_by_the_field() {
        let list = |filter, sort| parse(&indexed(), filter, sort).unwrap();
        assert_eq!(list(None, Some("-id")), List::new(None, Order::Id, true));
        assert_eq!(list(Some("priority:eq:1"), Some("-id")).order, Order::Field);
        assert_eq!(list(Some("priority:gt:1"), Some("-id")).order, Order::Id);
        assert_eq!(list(None, Some("-priority")).order, Order::Field);
        assert!(list(None, Some("-priority")).descending);
    }
}
