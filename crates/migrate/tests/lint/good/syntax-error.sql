CREATE TABLE people (id uuid);
