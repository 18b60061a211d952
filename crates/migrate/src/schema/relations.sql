-- Tables, views and sequences, and what hangs on them.
SELECT concat('CREATE ', CASE relpersistence WHEN 'u' THEN 'UNLOGGED ' END, CASE relkind WHEN 'f' THEN 'FOREIGN ' END, 'TABLE ',
    name, ' PARTITION BY ' || CASE relkind WHEN 'p' THEN pg_get_partkeydef(oid) END,
    (SELECT concat(' PARTITION OF ', inhparent::regclass, ' ' || CASE WHEN dated IS NULL THEN pg_get_expr(relpartbound, oid) END,
        CASE WHEN inhdetachpending THEN ' -- DETACH PENDING' END) FROM pg_inherits WHERE inhrelid = tables.oid AND relispartition),
    (SELECT ' USING ' || amname FROM pg_am WHERE pg_am.oid = relam AND amname <> 'heap'), ';')
    FROM tables WHERE relkind IN ('r', 'p', 'f')
UNION ALL SELECT concat('CREATE ', CASE relkind WHEN 'm' THEN 'MATERIALIZED ' END, 'VIEW ', name, ' AS ', pg_get_viewdef(oid),
    CASE WHEN NOT relispopulated THEN ' -- WITH NO DATA' END)
    FROM tables WHERE relkind IN ('v', 'm')
UNION ALL SELECT format('CREATE SEQUENCE %s AS %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s CACHE %s%s;', name,
    format_type(seqtypid, NULL), seqincrement, seqmin, seqmax, seqstart, seqcache, CASE WHEN seqcycle THEN ' CYCLE' END)
    FROM tables JOIN pg_sequence ON seqrelid = tables.oid
UNION ALL SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I;', name, refobjid::regclass, attname)
    FROM tables JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = tables.oid AND d.deptype = 'a'
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE relkind = 'S' AND d.refclassid = 'pg_class'::regclass
UNION ALL SELECT format('ALTER TABLE %s OWNER TO %s;', name, relowner::regrole)
    FROM tables, migrator WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND relowner <> migrator.oid
UNION ALL SELECT format('ALTER %s %s SET (%s);', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
    name, array_to_string(reloptions, ', '))
    FROM tables WHERE relkind IN ('r', 'p', 'f', 'v', 'm') AND reloptions IS NOT NULL
UNION ALL SELECT format('ALTER TABLE %s SET (toast.%s);', name, option)
    FROM tables JOIN pg_class toast ON toast.oid = tables.reltoastrelid, unnest(toast.reloptions) option
UNION ALL SELECT format('ALTER TABLE %s INHERIT %s;', name, inhparent::regclass)
    FROM tables JOIN pg_inherits ON inhrelid = tables.oid WHERE relkind IN ('r', 'f') AND NOT relispartition
UNION ALL SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s;', name, conname, pg_get_constraintdef(k.oid))
    FROM tables JOIN pg_constraint k ON conrelid = tables.oid WHERE contype <> 'n' OR NOT convalidated
UNION ALL SELECT pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN ';' ELSE '; -- INVALID' END
    FROM tables JOIN pg_index ON indrelid = tables.oid
UNION ALL SELECT format('ALTER TABLE %s CLUSTER ON %s;', name, indexrelid::regclass)
    FROM tables JOIN pg_index ON indrelid = tables.oid WHERE indisclustered
UNION ALL SELECT format('ALTER TABLE %s REPLICA IDENTITY %s;', name, CASE relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
    ELSE 'USING INDEX ' || (SELECT indexrelid::regclass FROM pg_index WHERE indrelid = tables.oid AND indisreplident) END)
    FROM tables WHERE relkind IN ('r', 'p') AND relreplident <> 'd'
UNION ALL SELECT format('ALTER TABLE %s %s ROW LEVEL SECURITY;', name, word) FROM tables,
    LATERAL (VALUES ('ENABLE', relrowsecurity), ('FORCE', relforcerowsecurity)) AS security (word, is_on) WHERE is_on
UNION ALL SELECT format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s;', polname, name,
    CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
    CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    (SELECT string_agg(coalesce(nullif(role, 0)::regrole::text, 'PUBLIC'), ', ' ORDER BY nullif(role, 0)::regrole::text) FROM unnest(polroles) role),
    ' USING (' || pg_get_expr(polqual, polrelid) || ')', ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')
    FROM tables JOIN pg_policy ON polrelid = tables.oid
UNION ALL SELECT pg_get_triggerdef(t.oid) || ';' FROM tables JOIN pg_trigger t ON tgrelid = tables.oid WHERE NOT tgisinternal
-- Those of foreign keys have names with numbers that are other ones in each database.
UNION ALL SELECT DISTINCT format('ALTER TABLE %s %s TRIGGER %s;', name,
    CASE tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
    CASE WHEN tgisinternal THEN 'ALL' ELSE quote_ident(tgname) END)
    FROM tables JOIN pg_trigger ON tgrelid = tables.oid WHERE tgenabled <> 'O'
UNION ALL SELECT pg_get_ruledef(r.oid) FROM tables JOIN pg_rewrite r ON ev_class = tables.oid WHERE rulename <> '_RETURN'
UNION ALL SELECT format('ALTER TABLE %s %s RULE %I;', name,
    CASE ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, rulename)
    FROM tables JOIN pg_rewrite ON ev_class = tables.oid WHERE ev_enabled <> 'O'
UNION ALL SELECT pg_get_statisticsobjdef(s.oid) || ';' FROM tables JOIN pg_statistic_ext s ON stxrelid = tables.oid
