SET LOCAL lock_timeout = '100ms';
ALTER TABLE people ADD COLUMN nickname text;
