-- no-transaction
REINDEX INDEX CONCURRENTLY people_by_name;
