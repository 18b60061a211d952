-- How a change tells the world: outbox, the event log (which is the audit log), and who reads it.

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    org_id uuid,
    user_id uuid,
    actor jsonb NOT NULL,
    act jsonb,
    target text,
    request_id uuid,
    data jsonb NOT NULL,
    personal jsonb,
    at timestamptz NOT NULL
);
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON outbox TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_insert ON outbox FOR INSERT TO eap_tenant WITH CHECK (org_id = app_org());
CREATE POLICY person_insert ON outbox FOR INSERT TO eap_person WITH CHECK (org_id IS NULL AND user_id = app_user());
CREATE POLICY system_sequencer ON outbox TO eap_system USING (true) WITH CHECK (true);
GRANT INSERT ON outbox TO eap_tenant, eap_person;
GRANT SELECT, INSERT, DELETE ON outbox TO eap_system;

CREATE TABLE events (
    sequenced_at timestamptz NOT NULL,
    position bigint NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    org_id uuid,
    user_id uuid,
    actor jsonb NOT NULL,
    act jsonb,
    target text,
    request_id uuid,
    data jsonb NOT NULL,
    -- of the salt and the personal values, which can be erased without changing the entry
    personal_hash bytea,
    at timestamptz NOT NULL,
    PRIMARY KEY (sequenced_at, position)
) PARTITION BY RANGE (sequenced_at);
CREATE INDEX events_by_org ON events (org_id, sequenced_at, position);
CREATE INDEX events_by_id ON events (org_id, id);
CREATE INDEX events_by_user ON events (user_id, sequenced_at, position) WHERE user_id IS NOT NULL;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON events TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_read ON events FOR SELECT TO eap_tenant USING (org_id = app_org());
CREATE POLICY person_read ON events FOR SELECT TO eap_person USING (user_id = app_user());
CREATE POLICY system_sequencer ON events FOR SELECT TO eap_system USING (true);
CREATE POLICY system_append ON events FOR INSERT TO eap_system WITH CHECK (true);
GRANT SELECT ON events TO eap_tenant, eap_person;
GRANT SELECT, INSERT ON events TO eap_system;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE event_personal (
    event_id uuid PRIMARY KEY,
    org_id uuid,
    user_id uuid,
    salt bytea NOT NULL,
    data jsonb NOT NULL
);
ALTER TABLE event_personal ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_personal FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON event_personal TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY tenant_read ON event_personal FOR SELECT TO eap_tenant USING (org_id = app_org());
CREATE POLICY person_read ON event_personal FOR SELECT TO eap_person USING (user_id = app_user());
CREATE POLICY system_sequencer ON event_personal TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT ON event_personal TO eap_tenant, eap_person;
GRANT SELECT, INSERT, DELETE ON event_personal TO eap_system;

CREATE TABLE consumers (
    name text PRIMARY KEY,
    sequenced_at timestamptz NOT NULL,
    position bigint NOT NULL
);
ALTER TABLE consumers ENABLE ROW LEVEL SECURITY;
ALTER TABLE consumers FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON consumers TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY system_consumer ON consumers TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON consumers TO eap_system;

-- Who may go on: one row a kind of work that must not be done twice at once.
CREATE TABLE _fence (
    name text PRIMARY KEY,
    holder uuid,
    until timestamptz NOT NULL DEFAULT '-infinity',
    last_position bigint NOT NULL DEFAULT 0,
    last_at timestamptz NOT NULL DEFAULT '-infinity',
    epoch integer NOT NULL DEFAULT 1
);
INSERT INTO _fence (name) VALUES ('sequencer'), ('deploy');
ALTER TABLE _fence ENABLE ROW LEVEL SECURITY;
ALTER TABLE _fence FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON _fence TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY system_sequencer ON _fence TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON _fence TO eap_system;

-- Daily partitions, made ahead. Created, then attached: PARTITION OF would wait behind an open INSERT.
-- Each gets FORCE and owner_all too: without them a dump with row security writes it empty, and exits 0.
CREATE FUNCTION ensure_partitions(parent text, days integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    day date;
    partition text;
    made integer := 0;
BEGIN
    IF parent NOT IN ('events', 'analytics_events') OR days NOT BETWEEN 0 AND 31 THEN
        RAISE EXCEPTION 'no partitions of % for % days', parent, days;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions ' || parent));
    FOR day IN SELECT generate_series(current_date - 1, current_date + days, interval '1 day')::date LOOP
        partition := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
        CONTINUE WHEN to_regclass(partition) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition, parent);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
        EXECUTE format('CREATE POLICY owner_all ON %I TO admin_user USING (true) WITH CHECK (true)', partition);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, partition,
            day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION ensure_partitions(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(text, integer) TO eap_system;
ALTER FUNCTION ensure_partitions(text, integer) SET timezone = 'UTC';
SELECT ensure_partitions('events', 7);

-- Drops the partitions of whole days before a number of days; of the event log only what every consumer has read, and the
-- personal values with their entries. Dropping waits for every open transaction on the parent: who waits too long gives
-- up, and tries again at the next upkeep.
CREATE FUNCTION drop_partitions(parent text, days integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '200ms' SET timezone = 'UTC' AS $$
DECLARE
    until timestamptz := current_date - days;
    partition text;
    dropped integer := 0;
BEGIN
    IF parent NOT IN ('events', 'analytics_events') OR days < 1 THEN
        RAISE EXCEPTION 'no partitions of % are dropped after % days', parent, days;
    END IF;
    IF parent = 'events' THEN
        until := least(until, (SELECT min(sequenced_at) FROM consumers));
    END IF;
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= until ORDER BY 1
    LOOP
        IF parent = 'events' THEN
            EXECUTE format('DELETE FROM event_personal p USING %I e WHERE p.event_id = e.id', partition);
        END IF;
        EXECUTE format('DROP TABLE %I', partition);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION drop_partitions(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_partitions(text, integer) TO eap_system;
