UPDATE people SET name = 'a', age = 1 WHERE id = '1';
