-- no-transaction
CREATE INDEX CONCURRENTLY people_by_name ON people (name);
SELECT 1;
