-- Where an organization wants to be told what happened.

CREATE TABLE endpoints (
    org_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    url text NOT NULL,
    -- as in resource.created, resource.* or *; empty: every type
    event_types text[] NOT NULL,
    -- empty: whatever a message's channels
    channels text[] NOT NULL,
    description text,
    -- custom headers of deliveries, one JSON object
    sealed_headers bytea,
    sealed_secret bytea NOT NULL,
    -- signs too, until then
    sealed_previous_secret bytea,
    previous_secret_until timestamptz,
    -- deliveries a second; NULL: no limit
    rate_limit integer CHECK (rate_limit > 0),
    max_concurrency integer NOT NULL CHECK (max_concurrency > 0),
    enabled boolean NOT NULL DEFAULT true,
    -- why the platform disabled it
    disabled_reason text CHECK (disabled_reason IN ('gone', 'failing')),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    -- what the dispatcher keeps, and no ETag counts: failures in a row and since when, nothing is sent until, the
    -- moment up to which the rate limit is used up (by PostgreSQL's clock, as every process shares it)
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    paused_until timestamptz,
    rate_used_until timestamptz,
    PRIMARY KEY (org_id, id)
);

ALTER TABLE endpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE endpoints FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON endpoints TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON endpoints TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
CREATE POLICY system_dispatch ON endpoints TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON endpoints TO eap_tenant;
GRANT SELECT, UPDATE (enabled, disabled_reason, version, updated_at, failures, failing_since, paused_until, rate_used_until)
    ON endpoints TO eap_system;
