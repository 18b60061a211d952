-- oldest-app: 0.2.0
-- lint:allow ban-drop-table nobody reads it
DROP TABLE people;
