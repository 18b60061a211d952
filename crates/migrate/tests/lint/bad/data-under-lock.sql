ALTER TABLE people ADD COLUMN nickname text;
UPDATE people SET nickname = name;
