ALTER TABLE people ADD CONSTRAINT people_org FOREIGN KEY (org_id) REFERENCES orgs (id);
