-- What the smoke test of a running installation needs: its catches, and the end of what it made.

CREATE TABLE smoke_catches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('mail', 'hook')),
    name text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX smoke_catches_by_name ON smoke_catches (kind, name, id);
ALTER TABLE smoke_catches ENABLE ROW LEVEL SECURITY;
ALTER TABLE smoke_catches FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON smoke_catches TO admin_user USING (true) WITH CHECK (true);
CREATE POLICY system_smoke ON smoke_catches TO eap_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON smoke_catches TO eap_system;

-- Erases an organization that a smoke test made, with its people and everything that is theirs; the event log stays,
-- without personal values. Whatever is not synthetic is refused.
CREATE FUNCTION erase_synthetic(org uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    people uuid[];
BEGIN
    PERFORM FROM organizations WHERE id = org AND synthetic FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT coalesce(array_agg(user_id), '{}') INTO people FROM memberships WHERE org_id = org;
    DELETE FROM event_personal WHERE org_id = org OR user_id = ANY (people);
    DELETE FROM idempotency_keys WHERE org_id = org OR user_id = ANY (people);
    DELETE FROM jobs WHERE org_id = org;
    DELETE FROM resource_values WHERE org_id = org;
    DELETE FROM resources WHERE org_id = org;
    DELETE FROM resource_types WHERE org_id = org;
    -- What is due first: whoever records a delivery just now is waited for, and what was recorded goes with the rest.
    DELETE FROM delivery_queue WHERE org_id = org;
    DELETE FROM deliveries WHERE org_id = org;
    DELETE FROM attempts WHERE org_id = org;
    DELETE FROM messages WHERE org_id = org;
    DELETE FROM endpoints WHERE org_id = org;
    DELETE FROM analytics_hourly_people WHERE org_id = org;
    DELETE FROM analytics_hourly WHERE org_id = org;
    DELETE FROM analytics_messages WHERE org_id = org;
    DELETE FROM analytics_events WHERE org_id = org;
    DELETE FROM analytics_names WHERE org_id = org;
    DELETE FROM analytics_sources WHERE org_id = org;
    DELETE FROM sessions WHERE org_id = org OR user_id = ANY (people);
    DELETE FROM memberships WHERE org_id = org;
    -- Who belongs to another synthetic organization goes with that.
    people := ARRAY(SELECT p FROM unnest(people) p WHERE NOT EXISTS (SELECT FROM memberships WHERE user_id = p));
    DELETE FROM mail_jobs WHERE user_id = ANY (people);
    DELETE FROM credentials WHERE user_id = ANY (people);
    DELETE FROM users WHERE id = ANY (people);
    DELETE FROM organizations WHERE id = org;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION erase_synthetic(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_synthetic(uuid) TO eap_system;
