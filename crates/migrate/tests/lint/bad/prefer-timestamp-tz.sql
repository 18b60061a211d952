CREATE TABLE people (born timestamp);
