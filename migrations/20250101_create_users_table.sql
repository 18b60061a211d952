-- People. A person has one account, whatever organizations they belong to.

-- Whose rows a statement means; unset, and '' after an earlier transaction, mean nobody's.
CREATE FUNCTION app_org() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.org_id', true), '')::uuid;
CREATE FUNCTION app_user() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.user_id', true), '')::uuid;

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    -- NFC, local part in lower case, domain as lower-case A-label; unique over deleted accounts too
    email_key text COLLATE "C" NOT NULL CONSTRAINT users_email_key UNIQUE,
    name text,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
    managed_by uuid,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON users TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY person_own ON users TO eap_person USING (id = app_user()) WITH CHECK (id = app_user());
CREATE POLICY system_login ON users TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON users TO eap_person;
GRANT SELECT, INSERT, UPDATE ON users TO eap_system;
