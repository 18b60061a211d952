-- oldest-app: 0.1.0
-- lint:allow ban-drop-column nobody reads it since 0.1.0
ALTER TABLE people DROP COLUMN name;
