SET LOCAL lock_timeout = 0;
ALTER TABLE people ADD COLUMN nickname text;
