//! Every kind of statement is known to the corpus, or said not to be known.

use super::{CORPUS, planned, prepared};
use migrate::plan::Work;
use squawk_syntax::{
    SourceFile, SyntaxKind,
    ast::{AstNode, Stmt},
};
use std::collections::BTreeSet;

/// Statements that do more than can be read from them.
const UNKNOWN: &str = "
DO 'BEGIN DELETE FROM people; END'
CALL run()
EXECUTE p
DROP OWNED BY readonly_user
REASSIGN OWNED BY readonly_user TO admin_user
ALTER EXTENSION plpgsql UPDATE
DROP EXTENSION plpgsql
IMPORT FOREIGN SCHEMA public FROM SERVER far INTO archive
ALTER TYPE pair ADD ATTRIBUTE three int CASCADE
ALTER SUBSCRIPTION s REFRESH PUBLICATION
CREATE SCHEMA s CREATE TABLE t (id int REFERENCES orgs)
DROP SCHEMA archive CASCADE
DROP TABLE people CASCADE
DROP TYPE mood CASCADE
DROP FUNCTION touch CASCADE
ALTER TABLE people DROP COLUMN name CASCADE
ALTER TABLE people DROP CONSTRAINT people_pkey CASCADE
REINDEX SCHEMA public
REINDEX DATABASE
REINDEX SYSTEM
VACUUM
ANALYZE
CLUSTER
CREATE PROPERTY GRAPH g
ALTER PROPERTY GRAPH g RENAME TO h
DROP PROPERTY GRAPH g
REPACK people
FETCH c
MOVE c
";

/// What no test can run beside others: it is the server's, or needs another one; and what files may not have.
const ELSEWHERE: &str = "
ALTER SYSTEM SET work_mem = '1MB'
CREATE DATABASE d
DROP DATABASE d
CREATE TABLESPACE t LOCATION '/none'
DROP TABLESPACE t
SECURITY LABEL ON TABLE people IS 'x'
BEGIN
COMMIT
ROLLBACK
SAVEPOINT a
RELEASE SAVEPOINT a
PREPARE TRANSACTION 'a'
COMMIT PREPARED 'a'
ROLLBACK PREPARED 'a'
ROLLBACK TO SAVEPOINT a
CHECKPOINT
CLOSE c
DEALLOCATE p
DISCARD ALL
LISTEN told
UNLISTEN told
LOAD 'x'
RESET ROLE
RESET SESSION AUTHORIZATION
;
";

fn kinds(sql: &str) -> BTreeSet<SyntaxKind> {
    let lines = sql.lines().filter(|line| !line.is_empty());
    let statements = lines.flat_map(|line| SourceFile::parse(line).tree().stmts().collect::<Vec<_>>());
    statements.map(|statement| statement.syntax().kind()).collect()
}

#[test]
fn every_kind_of_statement_has_a_line() {
    let known: BTreeSet<_> = kinds(CORPUS).into_iter().chain(kinds(UNKNOWN)).chain(kinds(ELSEWHERE)).collect();
    let all = (0..SyntaxKind::__LAST as u16).map(SyntaxKind::from).filter(|kind| Stmt::can_cast(*kind));
    let missing: Vec<_> = all.filter(|kind| !known.contains(kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn what_cannot_be_read_from_a_statement_is_said_to_be_unknown() {
    let (_database, client) = prepared().await;
    for sql in UNKNOWN.lines().filter(|line| !line.is_empty()) {
        assert_eq!(planned(&client, sql).await.work, Work::Unknown, "{sql}");
    }
}
