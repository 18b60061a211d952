-- oldest-app: 0.1.0
ALTER TABLE people DROP COLUMN name;
