#!/bin/sh
# Run once, by PostgreSQL's image, when the database is made: the logins with their password; `platform migrate roles`
# gives them their rights. All share one password, for this is for development.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname "$POSTGRES_DB" \
  --set password="$POSTGRES_PASSWORD" <<'SQL'
CREATE ROLE admin_user LOGIN PASSWORD :'password';
CREATE ROLE api_platform_app LOGIN NOINHERIT PASSWORD :'password';
SQL
