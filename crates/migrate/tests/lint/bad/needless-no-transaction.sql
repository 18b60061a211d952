-- no-transaction
ALTER TABLE people ADD COLUMN nickname text;
