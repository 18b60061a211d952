-- oldest-app: 0.1.0
-- lint:allow ban-drop-table nobody reads it since 0.1.0
DROP TABLE people;
