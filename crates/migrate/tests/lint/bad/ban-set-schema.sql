ALTER TABLE people SET SCHEMA archive;
