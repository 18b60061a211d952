CREATE TABLE people (name varchar(50));
