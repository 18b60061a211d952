-- oldest-app: 0.1.0
DROP SCHEMA old;
