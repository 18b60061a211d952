-- Signing up and in: what a person proves, and the sessions that come of it.

-- An address that was registered and is not proven yet: no account, no organization.
CREATE TABLE pending_registrations (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    email_key text COLLATE "C" NOT NULL,
    name text,
    organization_name text,
    password_hash text NOT NULL,
    token_digest bytea,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX pending_registrations_by_email ON pending_registrations (email_key);
CREATE INDEX pending_registrations_by_expiry ON pending_registrations (expires_at);

ALTER TABLE pending_registrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE pending_registrations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON pending_registrations TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY system_registration ON pending_registrations TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON pending_registrations TO eap_system;

CREATE TABLE credentials (
    user_id uuid PRIMARY KEY REFERENCES users,
    password_hash text NOT NULL,
    updated_at timestamptz NOT NULL
);
ALTER TABLE credentials ENABLE ROW LEVEL SECURITY;
ALTER TABLE credentials FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON credentials TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY person_own ON credentials TO eap_person USING (user_id = app_user()) WITH CHECK (user_id = app_user());
CREATE POLICY system_login ON credentials TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON credentials TO eap_person;
GRANT SELECT, INSERT, UPDATE ON credentials TO eap_system;

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    org_id uuid,
    version integer NOT NULL DEFAULT 1,
    -- how often the refresh token was rotated; digests of the current and the one before
    generation integer NOT NULL DEFAULT 0,
    refresh_digest bytea NOT NULL,
    previous_digest bytea,
    rotated_at timestamptz NOT NULL,
    user_agent text,
    address text,
    auth_time timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    FOREIGN KEY (org_id, user_id) REFERENCES memberships (org_id, user_id)
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON sessions TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY person_own ON sessions TO eap_person USING (user_id = app_user()) WITH CHECK (user_id = app_user());
CREATE POLICY system_refresh ON sessions TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON sessions TO eap_person;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO eap_system;

CREATE TABLE signing_keys (
    id text PRIMARY KEY,
    public_key bytea NOT NULL,
    sealed_seed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    signs_from timestamptz NOT NULL,
    retired_at timestamptz
);
ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE signing_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON signing_keys TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY system_keys ON signing_keys TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON signing_keys TO eap_system;

-- What to mail to whom, by ids alone: the worker makes the token when it sends.
CREATE TABLE mail_jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    registration_id uuid,
    user_id uuid,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    lease_until timestamptz
);
CREATE INDEX mail_jobs_by_due ON mail_jobs (due_at);
ALTER TABLE mail_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail_jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON mail_jobs TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY system_mail ON mail_jobs TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_jobs TO eap_system;
