CREATE VIEW persons AS SELECT id, name FROM people;
