CREATE TABLE people (born timestamptz);
