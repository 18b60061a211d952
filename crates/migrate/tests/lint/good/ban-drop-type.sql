-- oldest-app: 0.1.0
-- lint:allow ban-drop-type no column has it since 0.1.0
DROP TYPE mood;
