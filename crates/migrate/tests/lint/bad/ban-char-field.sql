CREATE TABLE people (code char(3));
