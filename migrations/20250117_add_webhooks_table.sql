-- Where an organization wants to be told what happened.

CREATE TABLE endpoints (
    id uuid PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES organizations,
    url text NOT NULL,
    event_types text[],
    description text,
    enabled boolean NOT NULL DEFAULT true,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    UNIQUE (org_id, id)
);

ALTER TABLE endpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE endpoints FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON endpoints TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON endpoints TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
CREATE POLICY system_dispatch ON endpoints FOR SELECT TO eap_system USING (true);
GRANT SELECT, INSERT, UPDATE ON endpoints TO eap_tenant;
GRANT SELECT ON endpoints TO eap_system;
