//! Statements that lock no table and touch no row. Whatever is not known here or elsewhere is said to be unknown.

use super::Parts;
use squawk_syntax::ast::Stmt;

pub(super) fn is(parts: &Parts) -> bool {
    match parts.statement {
        // Its elements are statements of their own.
        Stmt::CreateSchema(_) => parts.words.iter().filter(|word| *word == "create").count() == 1,
        // The tables of this type follow it.
        Stmt::AlterType(_) => !parts.has("cascade"),
        statement => made(statement) || changed(statement) || dropped(statement) || of_the_session(statement),
    }
}

fn made(statement: &Stmt) -> bool {
    matches!(
        statement,
        Stmt::CreateAccessMethod(_)
            | Stmt::CreateAggregate(_)
            | Stmt::CreateCast(_)
            | Stmt::CreateCollation(_)
            | Stmt::CreateConversion(_)
            | Stmt::CreateDatabase(_)
            | Stmt::CreateDomain(_)
            | Stmt::CreateEventTrigger(_)
            | Stmt::CreateExtension(_)
            | Stmt::CreateForeignDataWrapper(_)
            | Stmt::CreateGroup(_)
            | Stmt::CreateLanguage(_)
            | Stmt::CreateOperator(_)
            | Stmt::CreateOperatorClass(_)
            | Stmt::CreateOperatorFamily(_)
            | Stmt::CreateRole(_)
            | Stmt::CreateServer(_)
            | Stmt::CreateSubscription(_)
            | Stmt::CreateTablespace(_)
            | Stmt::CreateTextSearchConfiguration(_)
            | Stmt::CreateTextSearchDictionary(_)
            | Stmt::CreateTextSearchParser(_)
            | Stmt::CreateTextSearchTemplate(_)
            | Stmt::CreateTransform(_)
            | Stmt::CreateType(_)
            | Stmt::CreateUser(_)
            | Stmt::CreateUserMapping(_)
    )
}

fn changed(statement: &Stmt) -> bool {
    matches!(
        statement,
        Stmt::AlterAggregate(_)
            | Stmt::AlterCollation(_)
            | Stmt::AlterConversion(_)
            | Stmt::AlterDatabase(_)
            | Stmt::AlterDefaultPrivileges(_)
            | Stmt::AlterDomain(_)
            | Stmt::AlterEventTrigger(_)
            | Stmt::AlterForeignDataWrapper(_)
            | Stmt::AlterFunction(_)
            | Stmt::AlterGroup(_)
            | Stmt::AlterLanguage(_)
            | Stmt::AlterLargeObject(_)
            | Stmt::AlterOperator(_)
            | Stmt::AlterOperatorClass(_)
            | Stmt::AlterOperatorFamily(_)
            | Stmt::AlterProcedure(_)
            | Stmt::AlterRole(_)
            | Stmt::AlterRoutine(_)
            | Stmt::AlterSchema(_)
            | Stmt::AlterServer(_)
            | Stmt::AlterStatistics(_)
            | Stmt::AlterSystem(_)
            | Stmt::AlterTablespace(_)
            | Stmt::AlterTextSearchConfiguration(_)
            | Stmt::AlterTextSearchDictionary(_)
            | Stmt::AlterTextSearchParser(_)
            | Stmt::AlterTextSearchTemplate(_)
            | Stmt::AlterUser(_)
            | Stmt::AlterUserMapping(_)
    )
}

fn dropped(statement: &Stmt) -> bool {
    matches!(
        statement,
        Stmt::DropAccessMethod(_)
            | Stmt::DropAggregate(_)
            | Stmt::DropCast(_)
            | Stmt::DropCollation(_)
            | Stmt::DropConversion(_)
            | Stmt::DropDatabase(_)
            | Stmt::DropDomain(_)
            | Stmt::DropEventTrigger(_)
            | Stmt::DropForeignDataWrapper(_)
            | Stmt::DropFunction(_)
            | Stmt::DropGroup(_)
            | Stmt::DropLanguage(_)
            | Stmt::DropOperator(_)
            | Stmt::DropOperatorClass(_)
            | Stmt::DropOperatorFamily(_)
            | Stmt::DropProcedure(_)
            | Stmt::DropPublication(_)
            | Stmt::DropRole(_)
            | Stmt::DropRoutine(_)
            | Stmt::DropSchema(_)
            | Stmt::DropServer(_)
            | Stmt::DropSubscription(_)
            | Stmt::DropTablespace(_)
            | Stmt::DropTextSearchConfig(_)
            | Stmt::DropTextSearchDict(_)
            | Stmt::DropTextSearchParser(_)
            | Stmt::DropTextSearchTemplate(_)
            | Stmt::DropTransform(_)
            | Stmt::DropType(_)
            | Stmt::DropUser(_)
            | Stmt::DropUserMapping(_)
    )
}

fn of_the_session(statement: &Stmt) -> bool {
    matches!(
        statement,
        Stmt::Checkpoint(_)
            | Stmt::Close(_)
            | Stmt::Deallocate(_)
            | Stmt::Discard(_)
            | Stmt::Listen(_)
            | Stmt::Load(_)
            | Stmt::Notify(_)
            | Stmt::Reset(_)
            | Stmt::ResetRole(_)
            | Stmt::ResetSessionAuth(_)
            | Stmt::Set(_)
            | Stmt::SetConstraints(_)
            | Stmt::SetRole(_)
            | Stmt::SetSessionAuth(_)
            | Stmt::SetTransaction(_)
            | Stmt::Show(_)
            | Stmt::Unlisten(_)
    )
}
