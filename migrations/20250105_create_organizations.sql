-- Organizations, the tenants, and who belongs to them.

CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    -- made by a smoke test, and erased after an hour
    synthetic boolean NOT NULL DEFAULT false,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz
);

ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON organizations TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON organizations TO eap_tenant USING (id = app_org()) WITH CHECK (id = app_org());
CREATE POLICY system_registration ON organizations TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON organizations TO eap_tenant;
GRANT SELECT, INSERT ON organizations TO eap_system;

CREATE TABLE memberships (
    org_id uuid NOT NULL REFERENCES organizations,
    user_id uuid NOT NULL REFERENCES users,
    role text NOT NULL,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    -- raised by whatever makes older tokens wrong
    version integer NOT NULL DEFAULT 1,
    -- copies, kept by identity through orgs' front door: a directory is read without joining accounts
    email text NOT NULL,
    email_key text COLLATE "C" NOT NULL,
    name text,
    mfa boolean NOT NULL DEFAULT false,
    managed boolean NOT NULL DEFAULT false,
    last_seen_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, user_id)
);
CREATE INDEX memberships_by_email ON memberships (org_id, email_key, user_id);
CREATE INDEX memberships_by_user ON memberships (user_id);

ALTER TABLE memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE memberships FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON memberships TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON memberships TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
CREATE POLICY person_own ON memberships TO eap_person USING (user_id = app_user()) WITH CHECK (user_id = app_user());
CREATE POLICY system_login ON memberships TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON memberships TO eap_tenant;
GRANT SELECT, UPDATE (last_seen_at, email, email_key, name, mfa) ON memberships TO eap_person;
GRANT SELECT, INSERT, UPDATE ON memberships TO eap_system;

-- a person sees the organizations that they belong to
CREATE POLICY person_member ON organizations FOR SELECT TO eap_person
    USING (EXISTS (SELECT FROM memberships m WHERE m.org_id = organizations.id AND m.user_id = app_user()));
GRANT SELECT ON organizations TO eap_person;
