-- no-transaction
VACUUM people;
