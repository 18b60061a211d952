ALTER TABLE people ADD COLUMN nickname text;
SET LOCAL lock_timeout = '100ms';
