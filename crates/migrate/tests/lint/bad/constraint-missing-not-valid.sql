ALTER TABLE people ADD CONSTRAINT people_age CHECK (age > 0);
