CREATE DOMAIN age AS bigint;
