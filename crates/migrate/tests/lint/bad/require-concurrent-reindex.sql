REINDEX INDEX people_by_name;
