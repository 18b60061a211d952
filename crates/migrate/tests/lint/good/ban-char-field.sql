CREATE TABLE people (code text CHECK (length(code) = 3));
