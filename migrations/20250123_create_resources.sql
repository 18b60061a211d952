-- Typed resources of organizations.

CREATE TABLE resource_types (
    org_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    name text NOT NULL,
    schema jsonb NOT NULL,
    -- [{"field": "priority", "type": "number", "state": "ready"}]
    indexed jsonb NOT NULL,
    -- The job that indexes the fields that are not ready, or that could not.
    indexing_job_id uuid,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX resource_types_name_key ON resource_types (org_id, name) WHERE deleted_at IS NULL;
ALTER TABLE resource_types ENABLE ROW LEVEL SECURITY;
ALTER TABLE resource_types FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON resource_types TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON resource_types TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
GRANT SELECT, INSERT, UPDATE ON resource_types TO eap_tenant;

CREATE TABLE resources (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    type_id uuid NOT NULL,
    document jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, type_id) REFERENCES resource_types (org_id, id)
);
CREATE INDEX resources_by_type ON resources (org_id, type_id, id) WHERE deleted_at IS NULL;
ALTER TABLE resources ENABLE ROW LEVEL SECURITY;
ALTER TABLE resources FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON resources TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON resources TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
GRANT SELECT, INSERT, UPDATE ON resources TO eap_tenant;

-- The declared fields, in plain columns: under row level security no operator of jsonb may use an index.
CREATE TABLE resource_values (
    org_id uuid NOT NULL,
    type_id uuid NOT NULL,
    field text COLLATE "C" NOT NULL,
    resource_id uuid NOT NULL,
    text_value text COLLATE "C",
    number_value double precision,
    time_value timestamptz,
    PRIMARY KEY (org_id, resource_id, field),
    FOREIGN KEY (org_id, resource_id) REFERENCES resources (org_id, id)
);
CREATE INDEX resource_values_by_text ON resource_values (org_id, type_id, field, text_value, resource_id)
    WHERE text_value IS NOT NULL;
CREATE INDEX resource_values_by_number ON resource_values (org_id, type_id, field, number_value, resource_id)
    WHERE number_value IS NOT NULL;
CREATE INDEX resource_values_by_time ON resource_values (org_id, type_id, field, time_value, resource_id)
    WHERE time_value IS NOT NULL;
ALTER TABLE resource_values ENABLE ROW LEVEL SECURITY;
ALTER TABLE resource_values FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON resource_values TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON resource_values TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
GRANT SELECT, INSERT, UPDATE, DELETE ON resource_values TO eap_tenant;
