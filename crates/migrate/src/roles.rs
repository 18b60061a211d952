//! The database roles. They belong to the whole server, not to one database, so no migration file makes them.

use tokio_postgres::{Client, Error, error::SqlState};

/// Every role, the runbook's and the services'.
pub const NAMES: [&str; 6] =
    ["admin_user", "readonly_user", "api_platform_app", "eap_tenant", "eap_person", "eap_system"];

/// Makes the roles and the rights of this database; the same again changes nothing. Needs CREATEROLE and the right to
/// alter the database. Of roles that were there already, those of the services lose what could get around row level
/// security; where that needs a superuser, the error says so.
pub async fn ensure(client: &Client) -> Result<(), Error> {
    let statements = format!("SET client_min_messages = warning; BEGIN; {SQL} COMMIT");
    for _ in 0..ATTEMPTS {
        match client.batch_execute(&statements).await {
            // Roles are the whole server's, and no lock spans databases: whoever set up another one at the same moment
            // has made them.
            Err(error) if collided(&error) => client.batch_execute("ROLLBACK").await?,
            done => return done,
        }
    }
    client.batch_execute(&statements).await
}

const ATTEMPTS: u32 = 20;

fn collided(error: &Error) -> bool {
    let collisions = [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_OBJECT, SqlState::INTERNAL_ERROR];
    error.code().is_some_and(|code| collisions.contains(code))
}

/// The statements, for a DBA to read and run.
pub const SQL: &str = r"
DO $$
DECLARE
    role record;
    app constant text := 'api_platform_app';
BEGIN
    FOR role IN SELECT * FROM (VALUES
        ('admin_user', 'LOGIN'),          -- owns everything, runs migrations
        ('readonly_user', 'LOGIN'),       -- may read which migrations are applied
        ('api_platform_app', 'LOGIN NOINHERIT'), -- the services; may do nothing but become one of the next three
        ('eap_tenant', 'NOLOGIN'),        -- one organization's rows
        ('eap_person', 'NOLOGIN'),        -- one person's rows
        ('eap_system', 'NOLOGIN')         -- named work across organizations
    ) AS roles (name, options) LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role.name) THEN
            EXECUTE format('CREATE ROLE %I NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB %s', role.name, role.options);
        END IF;
    END LOOP;
    -- Roles that were there before: whatever could get around row level security goes. Only what is wrong is named,
    -- because naming SUPERUSER at all needs a superuser.
    FOR role IN SELECT * FROM (
        SELECT rolname AS name, concat_ws(' ',
            CASE WHEN rolsuper THEN 'NOSUPERUSER' END,
            CASE WHEN rolbypassrls THEN 'NOBYPASSRLS' END,
            CASE WHEN rolreplication THEN 'NOREPLICATION' END,
            CASE WHEN rolcreaterole THEN 'NOCREATEROLE' END,
            CASE WHEN rolcreatedb THEN 'NOCREATEDB' END,
            CASE WHEN rolcanlogin AND rolname <> app THEN 'NOLOGIN' END,
            CASE WHEN rolinherit AND rolname = app THEN 'NOINHERIT' END,
            CASE WHEN NOT rolcanlogin AND rolname = app THEN 'LOGIN' END) AS options
        FROM pg_roles WHERE rolname IN (app, 'eap_tenant', 'eap_person', 'eap_system')
    ) AS wrong WHERE options <> '' LOOP
        BEGIN
            EXECUTE format('ALTER ROLE %I %s', role.name, role.options);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE insufficient_privilege USING MESSAGE = format(
                'role %s must be altered, and this login may not: as a superuser, run ALTER ROLE %1$I %s', role.name, role.options);
        END;
    END LOOP;
    IF NOT pg_has_role('api_platform_app', 'eap_tenant', 'MEMBER')
        OR NOT pg_has_role('api_platform_app', 'eap_person', 'MEMBER')
        OR NOT pg_has_role('api_platform_app', 'eap_system', 'MEMBER') THEN
        GRANT eap_tenant, eap_person, eap_system TO api_platform_app;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'api_platform_app' AND rolconfig @> ARRAY['statement_timeout=15s']) THEN
        ALTER ROLE api_platform_app SET statement_timeout = '15s';
        ALTER ROLE api_platform_app SET lock_timeout = '5s';
        ALTER ROLE api_platform_app SET idle_in_transaction_session_timeout = '30s';
    END IF;
    -- How far standbys are behind, and what others do who are in the way. Whoever may not grant that makes roles all the
    -- same: the owner says what it lacks when it needs it.
    IF NOT pg_has_role('admin_user', 'pg_read_all_stats', 'MEMBER') THEN
        BEGIN
            GRANT pg_read_all_stats TO admin_user;
        EXCEPTION WHEN insufficient_privilege THEN NULL;
        END;
    END IF;
    EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO admin_user', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO api_platform_app, readonly_user', current_database());
END $$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO admin_user;
GRANT USAGE ON SCHEMA public TO eap_tenant, eap_person, eap_system, api_platform_app, readonly_user;
";
