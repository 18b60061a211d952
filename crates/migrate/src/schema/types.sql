-- Functions, types and extensions.
SELECT pg_get_functiondef(oid) || ';' FROM routines WHERE prokind <> 'a'
UNION ALL SELECT concat(format('CREATE AGGREGATE %s (SFUNC = %s, STYPE = %s', r.oid::regprocedure, aggtransfn::regproc, aggtranstype::regtype),
    ', FINALFUNC = ' || CASE WHEN aggfinalfn <> 0 THEN aggfinalfn::regproc END, ', COMBINEFUNC = ' || CASE WHEN aggcombinefn <> 0 THEN aggcombinefn::regproc END,
    ', INITCOND = ' || quote_literal(agginitval), ');')
    FROM routines r JOIN pg_aggregate ON aggfnoid = r.oid
UNION ALL SELECT format('ALTER ROUTINE %s OWNER TO %s;', r.oid::regprocedure, proowner::regrole) FROM routines r, migrator WHERE proowner <> migrator.oid
UNION ALL SELECT format('CREATE TYPE %s AS ENUM (%s);', name,
    (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = types.oid))
    FROM types WHERE typtype = 'e'
UNION ALL SELECT format('CREATE TYPE %s AS (%s);', name, (SELECT string_agg(concat(quote_ident(attname), ' ', format_type(atttypid, atttypmod),
        CASE WHEN attcollation <> t.typcollation THEN ' COLLATE ' || attcollation::regcollation END), ', ' ORDER BY attnum)
    FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE attrelid = types.typrelid AND attnum > 0 AND NOT attisdropped))
    FROM types WHERE typtype = 'c'
UNION ALL SELECT concat('CREATE TYPE ', name, ' AS RANGE (SUBTYPE = ', rngsubtype::regtype,
    ', COLLATION = ' || CASE WHEN rngcollation <> 0 THEN rngcollation::regcollation END,
    ', CANONICAL = ' || CASE WHEN rngcanonical <> 0 THEN rngcanonical::regproc END,
    ', SUBTYPE_DIFF = ' || CASE WHEN rngsubdiff <> 0 THEN rngsubdiff::regproc END, ');')
    FROM types JOIN pg_range ON rngtypid = types.oid
UNION ALL SELECT concat('CREATE DOMAIN ', name, ' AS ', format_type(types.typbasetype, types.typtypmod),
    CASE WHEN types.typcollation <> base.typcollation THEN ' COLLATE ' || types.typcollation::regcollation END,
    CASE WHEN types.typnotnull THEN ' NOT NULL' END, ' DEFAULT ' || types.typdefault, ';')
    FROM types JOIN pg_type base ON base.oid = types.typbasetype WHERE types.typtype = 'd'
UNION ALL SELECT format('ALTER DOMAIN %s ADD CONSTRAINT %I %s;', name, conname, pg_get_constraintdef(k.oid))
    FROM types JOIN pg_constraint k ON contypid = types.oid WHERE contype <> 'n'
UNION ALL SELECT format('ALTER TYPE %s OWNER TO %s;', name, typowner::regrole) FROM types, migrator WHERE typowner <> migrator.oid
UNION ALL SELECT concat('CREATE COLLATION ', c.oid::regcollation, ' (PROVIDER = ', CASE collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
    ', LOCALE = ', quote_literal(coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', collcollate)),
    CASE WHEN NOT collisdeterministic THEN ', DETERMINISTIC = false' END, ');')
    FROM pg_collation c WHERE collnamespace = 'public'::regnamespace
-- The version is the server's own choice, not a file's.
UNION ALL SELECT format('CREATE EXTENSION %I SCHEMA %s;', extname, extnamespace::regnamespace) FROM pg_extension WHERE extname <> 'plpgsql'
-- Of what is rare, only that it is there.
UNION ALL SELECT format('CREATE %s %s;', upper(type), identity) FROM (
    SELECT 'pg_operator'::regclass AS class, oid FROM pg_operator WHERE oprnamespace = 'public'::regnamespace
    UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass WHERE opcnamespace = 'public'::regnamespace
    UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily WHERE opfnamespace = 'public'::regnamespace
    UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config WHERE cfgnamespace = 'public'::regnamespace
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict WHERE dictnamespace = 'public'::regnamespace
) AS rare, pg_identify_object(class, rare.oid, 0)
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = class AND d.objid = rare.oid AND d.deptype = 'e')
