CREATE TABLE platforms (id uuid PRIMARY KEY);
