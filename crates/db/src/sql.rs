//! Statements beside their types; one test PREPAREs every one of them and compares (see `tests`).

use tokio_postgres::{Column, Row, Statement, types::Type};

/// A statement.
pub struct Sql {
    /// For errors and metrics.
    pub name: &'static str,
    /// Where it runs, as its function says: `OrgRead`, `OrgTx`, `PersonTx`, `SystemTx` or `Tx`.
    pub scope: &'static str,
    /// What PostgreSQL gets.
    pub text: &'static str,
    /// Its parameters: name and Rust type, each.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Whether parameters and columns fit a prepared statement; for each column, whether Rust takes NULL.
    pub check: fn(&Statement) -> Result<Vec<bool>, String>,
}

/// A struct that is read from a row by position.
pub trait FromRow: Sized {
    /// Reads it.
    fn from_row(row: &Row) -> Result<Self, tokio_postgres::Error>;
    /// Compares names and types; for each column, whether Rust takes NULL.
    fn check(columns: &[Column]) -> Result<Vec<bool>, String>;
}

/// For statements whose rows nobody wants.
#[derive(Debug)]
pub struct Done;

impl FromRow for Done {
    fn from_row(_: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self)
    }
    fn check(_: &[Column]) -> Result<Vec<bool>, String> {
        Ok(vec![])
    }
}

/// A name, a Rust type's name, whether it takes a PostgreSQL type.
pub type ParameterCheck = (&'static str, &'static str, fn(&Type) -> bool);

/// Compares a statement's parameters with Rust's.
pub fn check_parameters(statement: &str, got: &[Type], want: &[ParameterCheck]) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{statement}: {} parameters in SQL, {} in Rust", got.len(), want.len()));
    }
    let mut pairs = got.iter().zip(want).enumerate();
    match pairs.find(|(_, (ty, (_, _, accepts)))| !accepts(ty)) {
        Some((i, (ty, (name, rust, _)))) => Err(format!("{statement}: ${} {name}: {rust} cannot be {ty}", i + 1)),
        None => Ok(()),
    }
}

/// Compares a row's columns with a struct's fields: a check and whether the field takes NULL, each.
pub fn check_columns(row: &str, got: &[Column], want: &[(ParameterCheck, bool)]) -> Result<Vec<bool>, String> {
    let names: Vec<_> = got.iter().map(Column::name).collect();
    if names != want.iter().map(|((name, ..), _)| *name).collect::<Vec<_>>() {
        return Err(format!("{row}: the statement's columns are {names:?}"));
    }
    match got.iter().zip(want).find(|(column, ((_, _, accepts), _))| !accepts(column.type_())) {
        Some((column, ((name, rust, _), _))) => Err(format!("{row}.{name}: {rust} cannot hold {}", column.type_())),
        None => Ok(want.iter().map(|(_, nullable)| *nullable).collect()),
    }
}

/// `row! { pub struct X { id: XId } }`: a struct read from a row by position, its names and types checked by the test.
#[macro_export]
macro_rules! row { ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $field:ident : $ty:ty),* $(,)? }) => {
    $(#[$meta])*
    $vis struct $name { $(#[doc = concat!("The column `", stringify!($field), "`.")] $(#[$fmeta])* pub $field: $ty),* }

    impl $crate::FromRow for $name {
        fn from_row(row: &$crate::private::Row) -> Result<Self, $crate::private::Error> {
            let mut column = 0..;
            Ok(Self { $($field: row.try_get(column.next().unwrap_or_default())?),* })
        }
        fn check(columns: &[$crate::private::Column]) -> Result<Vec<bool>, String> {
            use $crate::private::types::{FromSql, Type};
            $crate::check_columns(stringify!($name), columns, &[$((
                (stringify!($field), stringify!($ty), <$ty as FromSql>::accepts),
                <$ty as FromSql>::from_sql_null(&Type::TEXT).is_ok(),
            )),*])
        }
    }
} }

/// Statements with their types, each an `async fn` and an entry of `statements::ALL`:
/// `sql! { pub fn by_id(db: OrgRead, id: XId) -> opt XRow = "SELECT …"; }`, where the word before the row type says how
/// many rows are wanted: `all`, `opt`, `one`, or `exec` with `Done`.
#[macro_export]
macro_rules! sql {
    ($($(#[$meta:meta])* pub fn $name:ident($db:ident : $scope:ty $(, $param:ident : $ty:ty)* $(,)?) -> $how:ident $row:ty = $text:expr;)*) => {
        $($(#[$meta])*
        pub async fn $name($db: &(impl $crate::In<$scope> + ?Sized) $(, $param: $ty)*) -> $crate::DbResult<$crate::sql!(@returns $how $row)> {
            $crate::In::<$scope>::tx($db).$how::<$row>(&statements::$name, &[$(&$param),*]).await
        })*

        /// The statements themselves, for the test that PREPAREs them.
        #[allow(non_upper_case_globals, clippy::wildcard_imports, reason = "constants carry their function's name")]
        pub mod statements {
            use super::*;
            $(pub(super) const $name: $crate::Sql = $crate::Sql {
                name: concat!(module_path!(), "::", stringify!($name)),
                scope: stringify!($scope),
                text: $text,
                parameters: &[$((stringify!($param), stringify!($ty))),*],
                check: |statement| {
                    $crate::check_parameters(
                        stringify!($name),
                        statement.params(),
                        &[$((stringify!($param), stringify!($ty), <$ty as $crate::private::types::ToSql>::accepts)),*],
                    )?;
                    <$row as $crate::FromRow>::check(statement.columns())
                },
            };)*
            /// Every statement of this file.
            pub const ALL: &[$crate::Sql] = &[$($name),*];
        }
    };
    (@returns opt $row:ty) => { Option<$row> };
    (@returns all $row:ty) => { Vec<$row> };
    (@returns one $row:ty) => { $row };
    (@returns exec $row:ty) => { () };
}
