ALTER TABLE people ADD COLUMN sum bigint;
