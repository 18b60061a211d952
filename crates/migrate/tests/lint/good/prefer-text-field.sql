CREATE TABLE people (name text CHECK (length(name) <= 50));
