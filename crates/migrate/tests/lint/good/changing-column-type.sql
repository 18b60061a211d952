ALTER TABLE people ADD COLUMN long_age bigint;
