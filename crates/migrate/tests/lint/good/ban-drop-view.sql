-- oldest-app: 0.1.0
-- lint:allow ban-drop-view nobody reads it since 0.1.0
DROP VIEW humans;
