UPDATE people SET name = 'a', name = 'b' WHERE id = '1';
