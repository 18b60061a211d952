ALTER TABLE people RENAME TO humans;
