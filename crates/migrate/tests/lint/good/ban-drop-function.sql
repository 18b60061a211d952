-- oldest-app: 0.1.0
-- lint:allow ban-drop-function nobody calls it since 0.1.0
DROP FUNCTION humans(int);
