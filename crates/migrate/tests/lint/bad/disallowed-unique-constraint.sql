ALTER TABLE people ADD CONSTRAINT people_email UNIQUE (email);
