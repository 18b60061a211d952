-- lint:allow ban-drop-table nobody reads it
CREATE TABLE people (id uuid);
