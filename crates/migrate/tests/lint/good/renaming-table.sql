CREATE VIEW humans AS SELECT id, name FROM people;
