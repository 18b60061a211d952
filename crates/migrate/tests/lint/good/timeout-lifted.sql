SET LOCAL statement_timeout = '10s';
ALTER TABLE people ADD COLUMN nickname text;
