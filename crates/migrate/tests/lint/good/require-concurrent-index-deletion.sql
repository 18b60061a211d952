-- no-transaction
DROP INDEX CONCURRENTLY people_by_name;
