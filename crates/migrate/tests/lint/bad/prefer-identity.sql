CREATE TABLE people (id bigserial PRIMARY KEY);
