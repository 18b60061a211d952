ALTER VIEW humans RENAME TO persons;
