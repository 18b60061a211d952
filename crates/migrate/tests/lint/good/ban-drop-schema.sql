-- oldest-app: 0.1.0
-- lint:allow ban-drop-schema empty since 0.1.0
DROP SCHEMA old;
