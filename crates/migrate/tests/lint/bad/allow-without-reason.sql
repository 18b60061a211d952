-- oldest-app: 0.1.0
DROP TABLE people; -- lint:allow ban-drop-table
