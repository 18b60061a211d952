CREATE TABEL people (id uuid);
