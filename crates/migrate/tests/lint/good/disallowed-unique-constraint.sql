ALTER TABLE people ADD CONSTRAINT people_email UNIQUE USING INDEX people_by_email;
