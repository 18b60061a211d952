-- What may be done, other than an owner's and everybody's rights by default; and what is said of each thing.
SELECT format('GRANT %s ON %s TO %s%s;', privilege_type, what, role, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
    FROM things, LATERAL (
        SELECT privilege_type, grantee, is_grantable FROM aclexplode(coalesce(acl, acldefault(kind, owner)))
        EXCEPT SELECT privilege_type, grantee, is_grantable FROM aclexplode(acldefault(kind, owner))
    ) AS rights, LATERAL (SELECT CASE grantee WHEN 0 THEN 'PUBLIC' WHEN owner THEN 'CURRENT_USER' ELSE grantee::regrole::text END AS role) AS name
UNION ALL SELECT format('REVOKE %s ON %s FROM %s;', privilege_type, what, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE 'CURRENT_USER' END)
    FROM things, LATERAL (
        SELECT privilege_type, grantee FROM aclexplode(acldefault(kind, owner)) EXCEPT SELECT privilege_type, grantee FROM aclexplode(acl)
    ) AS rights WHERE acl IS NOT NULL
-- Of what the owner makes next.
UNION ALL SELECT format('ALTER DEFAULT PRIVILEGES %s%s %s ON %s %s %s;', 'IN SCHEMA ' || nullif(defaclnamespace, 0)::regnamespace || ' ', verb, privilege_type,
    CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END,
    CASE verb WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END, CASE grantee WHEN 0 THEN 'PUBLIC' WHEN defaclrole THEN 'CURRENT_USER' ELSE grantee::regrole::text END)
    FROM migrator JOIN pg_default_acl ON defaclrole = migrator.oid,
    LATERAL (SELECT CASE defaclnamespace WHEN 0 THEN acldefault(CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END, defaclrole) END AS usual) AS before,
    LATERAL (
        (SELECT 'GRANT' AS verb, privilege_type, grantee FROM aclexplode(defaclacl) EXCEPT SELECT 'GRANT', privilege_type, grantee FROM aclexplode(usual))
        UNION ALL (SELECT 'REVOKE', privilege_type, grantee FROM aclexplode(usual) EXCEPT SELECT 'REVOKE', privilege_type, grantee FROM aclexplode(defaclacl))
    ) AS rights
    WHERE defaclnamespace IN (0, 'public'::regnamespace)
UNION ALL SELECT format('COMMENT ON %s %s IS %L;', CASE WHEN type = 'table column' THEN 'COLUMN' ELSE upper(regexp_replace(type, '^table |^domain | object$', '', 'g')) END,
    identity, description)
    FROM pg_description d, pg_identify_object(classoid, objoid, objsubid)
    WHERE (schema = 'public' OR identity LIKE '% on public.%') AND identity !~ '^public\._migration|on public\._migration'
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = classoid AND e.objid = objoid AND e.deptype = 'e')
