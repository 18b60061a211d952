UPDATE people SET nickname = name WHERE id = '1';
ALTER TABLE people ADD COLUMN nickname text;
