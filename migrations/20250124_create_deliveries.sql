-- What is told to endpoints: messages, who still has to get them, and what became of it.

CREATE TABLE messages (
    org_id uuid NOT NULL,
    -- of an event of the catalogue: the event's id
    id uuid NOT NULL,
    of_event boolean NOT NULL,
    type text NOT NULL,
    channels text[] NOT NULL,
    -- as it is signed and sent, the same at each attempt
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, id)
);
-- Retention finds what is old; rows come in the order of time, so this index costs nearly nothing.
CREATE INDEX messages_by_age ON messages USING brin (created_at);
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE messages FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON messages TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_own ON messages TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
CREATE POLICY system_dispatch ON messages TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON messages TO eap_tenant;
GRANT SELECT, INSERT, DELETE ON messages TO eap_system;

-- Deliveries that are not finished. The lease is in no index, so that claiming moves no index entry.
CREATE TABLE delivery_queue (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    message_id uuid NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    -- by PostgreSQL's clock
    lease_until timestamptz,
    -- how often it was claimed: whose lease ran out writes no result
    claims integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, id)
) WITH (fillfactor = 50);
CREATE INDEX delivery_queue_by_due ON delivery_queue (org_id, endpoint_id, due_at, id);
ALTER TABLE delivery_queue ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery_queue FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON delivery_queue TO admin_user USING (true) WITH CHECK (true);
-- An organization sees what is still to be delivered, adds a test or a repetition, and makes a delivery due.
CREATE POLICY tenant_own ON delivery_queue TO eap_tenant USING (org_id = app_org()) WITH CHECK (org_id = app_org());
CREATE POLICY system_dispatch ON delivery_queue TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE (due_at) ON delivery_queue TO eap_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON delivery_queue TO eap_system;

-- Deliveries that are finished, for better or worse.
CREATE TABLE deliveries (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    message_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('delivered', 'failed')),
    attempts integer NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX deliveries_by_endpoint ON deliveries (org_id, endpoint_id, id);
-- Failures are what people look for, and few: without these a list would read past everything that went well.
CREATE INDEX deliveries_failed ON deliveries (org_id, id) WHERE status = 'failed';
CREATE INDEX deliveries_failed_by_endpoint ON deliveries (org_id, endpoint_id, id) WHERE status = 'failed';
CREATE INDEX deliveries_by_age ON deliveries USING brin (finished_at);
ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON deliveries TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_read ON deliveries FOR SELECT TO eap_tenant USING (org_id = app_org());
CREATE POLICY system_dispatch ON deliveries TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT ON deliveries TO eap_tenant;
GRANT SELECT, INSERT, DELETE ON deliveries TO eap_system;

-- Every request that was made for a delivery.
CREATE TABLE attempts (
    org_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    -- of the response; NULL: there was none
    status_code integer,
    -- why it failed; NULL: it did not
    error text,
    -- the first 16 kB
    response text,
    -- of the endpoint's circuit breaker when the request was made
    circuit text NOT NULL CHECK (circuit IN ('closed', 'half_open')),
    PRIMARY KEY (org_id, delivery_id, number)
);
CREATE INDEX attempts_by_age ON attempts USING brin (at);
ALTER TABLE attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON attempts TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_read ON attempts FOR SELECT TO eap_tenant USING (org_id = app_org());
CREATE POLICY system_dispatch ON attempts TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT ON attempts TO eap_tenant;
GRANT SELECT, INSERT, DELETE ON attempts TO eap_system;
