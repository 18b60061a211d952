-- What happened in organizations' products, as their own programs tell it.

-- The write key stands here in clear: it is public by design, every browser that uses it shows it, and it can only append.
CREATE TABLE analytics_sources (
    org_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    name text NOT NULL,
    write_key text COLLATE "C" NOT NULL,
    -- empty: any origin
    allowed_origins text[] NOT NULL,
    enabled boolean NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT analytics_sources_write_key UNIQUE (write_key)
);
ALTER TABLE analytics_sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE analytics_sources FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON analytics_sources TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON analytics_sources TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
CREATE POLICY system_ingest ON analytics_sources FOR SELECT TO eap_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON analytics_sources TO eap_tenant;
GRANT SELECT ON analytics_sources TO eap_system;

-- Each name once: an event carries a number. A name is never changed or deleted, so that processes may remember it.
CREATE TABLE analytics_names (
    org_id uuid NOT NULL REFERENCES organizations,
    id integer GENERATED ALWAYS AS IDENTITY,
    kind text COLLATE "C" NOT NULL,
    -- empty for the kinds that have none
    name text COLLATE "C" NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT analytics_names_key UNIQUE (org_id, kind, name)
);
ALTER TABLE analytics_names ENABLE ROW LEVEL SECURITY;
ALTER TABLE analytics_names FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON analytics_names TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_read ON analytics_names FOR SELECT TO eap_tenant USING (org_id = app_org());
CREATE POLICY system_ingest ON analytics_names TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT ON analytics_names TO eap_tenant;
GRANT SELECT, INSERT ON analytics_names TO eap_system;

-- No foreign keys: each would cost every event a look-up and a lock, and the one writer makes the names itself.
CREATE TABLE analytics_events (
    received_at timestamptz NOT NULL,
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    source_id uuid NOT NULL,
    name_id integer NOT NULL,
    -- by the sender's clock, corrected by what it was off
    happened_at timestamptz NOT NULL,
    message_id text NOT NULL,
    user_id text COLLATE "C",
    anonymous_id text COLLATE "C",
    -- of `group` its group, of `alias` the id before
    subject_id text,
    -- of `identify` and `group` the traits
    properties jsonb NOT NULL,
    context jsonb NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX analytics_events_latest ON analytics_events (org_id, received_at, id);
CREATE INDEX analytics_events_by_name ON analytics_events (org_id, name_id, received_at, id);
CREATE INDEX analytics_events_by_user ON analytics_events (org_id, user_id, received_at, id) WHERE user_id IS NOT NULL;
ALTER TABLE analytics_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE analytics_events FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON analytics_events TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_read ON analytics_events FOR SELECT TO eap_tenant USING (org_id = app_org());
CREATE POLICY system_ingest ON analytics_events FOR INSERT TO eap_system WITH CHECK (true);
GRANT SELECT ON analytics_events TO eap_tenant;
GRANT INSERT ON analytics_events TO eap_system;

-- Which messages were taken in the last two days. Not by day: a message that comes twice around midnight must meet itself.
CREATE TABLE analytics_messages (
    org_id uuid NOT NULL,
    -- half of a SHA-256 of source and message id
    message uuid NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, message)
);
-- Costs a write nothing, and rows come in this order.
CREATE INDEX analytics_messages_by_time ON analytics_messages USING brin (received_at);
ALTER TABLE analytics_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE analytics_messages FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON analytics_messages TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY system_ingest ON analytics_messages TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON analytics_messages TO eap_system;

-- How often in each hour (of happened_at, UTC); kept by the writer in the transaction of the events.
CREATE TABLE analytics_hourly (
    org_id uuid NOT NULL,
    name_id integer NOT NULL,
    hour timestamptz NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (org_id, name_id, hour)
) WITH (fillfactor = 50);
ALTER TABLE analytics_hourly ENABLE ROW LEVEL SECURITY;
ALTER TABLE analytics_hourly FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON analytics_hourly TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_read ON analytics_hourly FOR SELECT TO eap_tenant USING (org_id = app_org());
CREATE POLICY system_ingest ON analytics_hourly TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT ON analytics_hourly TO eap_tenant;
GRANT SELECT, INSERT, UPDATE ON analytics_hourly TO eap_system;

-- Who in each hour: uniques of any span of hours are exact.
CREATE TABLE analytics_hourly_people (
    org_id uuid NOT NULL,
    name_id integer NOT NULL,
    hour timestamptz NOT NULL,
    -- half of a SHA-256 of the user id, or of the anonymous id where there is none
    person uuid NOT NULL,
    PRIMARY KEY (org_id, name_id, hour, person)
);
ALTER TABLE analytics_hourly_people ENABLE ROW LEVEL SECURITY;
ALTER TABLE analytics_hourly_people FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON analytics_hourly_people TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_read ON analytics_hourly_people FOR SELECT TO eap_tenant USING (org_id = app_org());
CREATE POLICY system_ingest ON analytics_hourly_people TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT ON analytics_hourly_people TO eap_tenant;
GRANT SELECT, INSERT ON analytics_hourly_people TO eap_system;

SELECT ensure_partitions('analytics_events', 7);
