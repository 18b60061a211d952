-- no-transaction
VACUUM FULL people;
