-- What every context uses: remembered answers, jobs, revocations, running instances.

CREATE TABLE idempotency_keys (
    org_id uuid,
    user_id uuid,
    principal text NOT NULL,
    key_digest bytea NOT NULL,
    operation text NOT NULL,
    body_digest bytea NOT NULL,
    sealed_answer bytea NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_key UNIQUE NULLS NOT DISTINCT (org_id, user_id, principal, key_digest)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON idempotency_keys TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON idempotency_keys TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
CREATE POLICY person_own ON idempotency_keys TO eap_person
    USING (org_id IS NULL AND user_id = app_user()) WITH CHECK (org_id IS NULL AND user_id = app_user());
CREATE POLICY system_retention ON idempotency_keys TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON idempotency_keys TO eap_tenant, eap_person;
GRANT SELECT, INSERT, DELETE ON idempotency_keys TO eap_system;

-- Work of an organization that goes on after its request was answered.
CREATE TABLE jobs (
    org_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'succeeded', 'failed')),
    input jsonb NOT NULL,
    -- Where to go on, as the kind writes it: saved in the transaction of what was done.
    position jsonb,
    done bigint NOT NULL DEFAULT 0,
    -- Unknown until counted.
    total bigint,
    error_count bigint NOT NULL DEFAULT 0,
    -- The first of them: [{"item": …, "pointer": …, "code": …, "detail": …}]
    errors jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_array_length(errors) <= 100),
    -- The path of what the job makes.
    result text,
    -- Whose role has this permission sees the job, as does who created it.
    needs text NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    -- The worker that has it.
    holder uuid,
    -- From then on any worker may take it.
    lease_until timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- How often it was taken since it last got on.
    attempts integer NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX jobs_live ON jobs (lease_until) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON jobs TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON jobs TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
-- A worker takes the next job, whosesoever it is, and does it as that organization; retention erases old ones.
CREATE POLICY system_claim ON jobs TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON jobs TO eap_tenant;
GRANT SELECT, DELETE, UPDATE (state, started_at, holder, lease_until, attempts) ON jobs TO eap_system;

-- Which tokens are out of date; ids and versions only, so everyone may read it.
CREATE TABLE invalidations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('session', 'membership')),
    org_id uuid,
    subject uuid NOT NULL,
    min_version integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX invalidations_by_time ON invalidations (at);
ALTER TABLE invalidations ENABLE ROW LEVEL SECURITY;
ALTER TABLE invalidations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON invalidations TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY everyone_read ON invalidations FOR SELECT TO eap_tenant, eap_person USING (true);
CREATE POLICY tenant_members ON invalidations FOR INSERT TO eap_tenant
    WITH CHECK (kind = 'membership' AND org_id = app_org());
CREATE POLICY person_sessions ON invalidations FOR INSERT TO eap_person
    WITH CHECK (kind = 'session' AND EXISTS (SELECT FROM sessions s WHERE s.id = subject AND s.user_id = app_user()));
CREATE POLICY system_revocation ON invalidations TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON invalidations TO eap_tenant, eap_person, eap_system;
GRANT DELETE ON invalidations TO eap_system;

CREATE TABLE instances (
    id uuid PRIMARY KEY,
    service text NOT NULL,
    version text NOT NULL,
    schema_needs text NOT NULL,
    seen_at timestamptz NOT NULL
);
ALTER TABLE instances ENABLE ROW LEVEL SECURITY;
ALTER TABLE instances FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON instances TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY system_instances ON instances TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON instances TO eap_system;
