CREATE INDEX people_by_name ON people (name);
