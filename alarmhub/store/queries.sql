-- All SQL the store runs, by name; loaded once. `now` is always a parameter. The lease alone reads the
-- database's clock, because it compares processes (acquire, renew).

-- write_core --
-- What every batch has; part of the two statements below, no statement of its own.
-- fence: nothing is written unless the lease is ours; the row stays locked until the commit, so a takeover
-- waits for it. fresh: one row the first time, none when this batch was applied before.
WITH fence AS MATERIALIZED (
    SELECT renewed_at FROM lease WHERE shard = $1 AND epoch = $2 FOR KEY SHARE
), fresh AS (
    INSERT INTO batch (id, written_at) SELECT $3::text, renewed_at FROM fence
    ON CONFLICT (id) DO NOTHING RETURNING 1
), alarms AS (
    INSERT INTO alarm (id, source, key, kind, priority, place, unit, phase, version, raised_at, at, due, body)
    SELECT u.* FROM fresh, unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
        $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::json[]) u
    ON CONFLICT (id) DO UPDATE SET
        source = excluded.source, key = excluded.key, kind = excluded.kind, priority = excluded.priority,
        place = excluded.place, unit = excluded.unit, phase = excluded.phase, version = excluded.version,
        raised_at = excluded.raised_at, at = excluded.at, due = excluded.due, body = excluded.body
    WHERE alarm.version < excluded.version
), events AS (
    INSERT INTO event (id, alarm, version, at, received_at, type, body, reasons, phase, roster, position)
    SELECT u.* FROM fresh, unnest($17::text[], $18::text[], $19::bigint[], $20::bigint[], $21::bigint[],
        $22::text[], $23::json[], $24::json[], $25::text[], $26::text[]) WITH ORDINALITY u
), answers AS (
    INSERT INTO answered (scope, id, at, answer)
    SELECT u.* FROM fresh, unnest($27::text[], $28::text[], $29::bigint[], $30::bytea[]) u
    ON CONFLICT (scope, id) DO NOTHING
), effects AS (
    -- With an attempt they are being carried out by who writes them: nobody claims them before they are over.
    INSERT INTO outbox (id, alarm, channel, address, body, created_at, give_up_at, attempt, lease_until)
    SELECT u.*, CASE WHEN u.attempt > 0 THEN u.give_up_at ELSE 0 END
    FROM fresh, unnest($31::text[], $32::text[], $33::text[], $34::text[], $35::json[], $36::bigint[],
        $37::bigint[], $38::integer[]) u (id, alarm, channel, address, body, created_at, give_up_at, attempt)
)
-- write --
-- Alarms, their log, replies to remember, effects to carry out.
-- :include write_core
SELECT count(*) FROM fence;

-- write_one --
-- The same for one alarm with one event and at most one reply and one effect, which most batches are: plain
-- values cost hub and server a quarter less than arrays of one.
WITH fence AS MATERIALIZED (
    SELECT renewed_at FROM lease WHERE shard = $1 AND epoch = $2 FOR KEY SHARE
), fresh AS (
    INSERT INTO batch (id, written_at) SELECT $3::text, renewed_at FROM fence
    ON CONFLICT (id) DO NOTHING RETURNING 1
), alarms AS (
    INSERT INTO alarm (id, source, key, kind, priority, place, unit, phase, version, raised_at, at, due, body)
    SELECT $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text, $12::bigint,
        $13::bigint, $14::bigint, $15::bigint, $16::json FROM fresh
    ON CONFLICT (id) DO UPDATE SET
        source = excluded.source, key = excluded.key, kind = excluded.kind, priority = excluded.priority,
        place = excluded.place, unit = excluded.unit, phase = excluded.phase, version = excluded.version,
        raised_at = excluded.raised_at, at = excluded.at, due = excluded.due, body = excluded.body
    WHERE alarm.version < excluded.version
), events AS (
    INSERT INTO event (id, alarm, version, at, received_at, type, body, reasons, phase, roster, position)
    SELECT $17::text, $18::text, $19::bigint, $20::bigint, $21::bigint, $22::text, $23::json, $24::json,
        $25::text, $26::text, 1 FROM fresh
), answers AS (
    INSERT INTO answered (scope, id, at, answer)
    SELECT $27::text, $28::text, $29::bigint, $30::bytea FROM fresh WHERE $27::text IS NOT NULL
    ON CONFLICT (scope, id) DO NOTHING
), effects AS (
    INSERT INTO outbox (id, alarm, channel, address, body, created_at, give_up_at, attempt, lease_until)
    SELECT $31::text, $32::text, $33::text, $34::text, $35::json, $36::bigint, $37::bigint, $38::integer,
        CASE WHEN $38::integer > 0 THEN $37::bigint ELSE 0 END
    FROM fresh WHERE $31::text IS NOT NULL
)
SELECT count(*) FROM fence;

-- write_first --
-- The event that opens an alarm and nothing else, as a press without an id of its own is. The event carries the
-- batch's id and so says itself that the batch was applied; and there is no row of the alarm to look for.
WITH fence AS MATERIALIZED (
    SELECT 1 FROM lease WHERE shard = $1 AND epoch = $2 FOR KEY SHARE
), fresh AS (
    INSERT INTO event (id, alarm, version, at, received_at, type, body, reasons, phase, roster, position)
    SELECT $3::text, $17::text, $18::bigint, $19::bigint, $20::bigint, $21::text, $22::json, $23::json,
        $24::text, $25::text, 1 FROM fence
    ON CONFLICT (id) DO NOTHING RETURNING 1
), alarms AS (
    INSERT INTO alarm (id, source, key, kind, priority, place, unit, phase, version, raised_at, at, due, body)
    SELECT $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text, $12::bigint,
        $13::bigint, $14::bigint, $15::bigint, $16::json FROM fresh
)
SELECT count(*) FROM fence;

-- write_rare --
-- With facts, rosters and quarantined events; its empty parts would cost every batch 0.05 ms.
-- :include write_core
, facts AS (
    INSERT INTO fact (scope, key, at, body)
    SELECT u.* FROM fresh, unnest($39::text[], $40::text[], $41::bigint[], $42::json[]) u
    ON CONFLICT (scope, key) DO UPDATE SET at = excluded.at, body = excluded.body
), forgotten AS (
    DELETE FROM fact USING fresh, unnest($43::text[], $44::text[]) u (scope, key)
    WHERE fact.scope = u.scope AND fact.key = u.key
), rosters AS (
    INSERT INTO roster (hash, body) SELECT u.* FROM fresh, unnest($45::text[], $46::json[]) u
    ON CONFLICT (hash) DO NOTHING
), quarantined AS (
    INSERT INTO quarantine (id, at, alarm, cause, body)
    SELECT u.* FROM fresh, unnest($47::text[], $48::bigint[], $49::text[], $50::text[], $51::bytea[]) u
)
SELECT count(*) FROM fence;

-- other_shard --
-- Two shards in one database would each take the other's alarms for its own.
SELECT shard FROM lease WHERE shard <> $1 LIMIT 1;

-- acquire_make --
INSERT INTO lease (shard, epoch, owner, expires_at, renewed_at) VALUES ($1, 0, '', 0, 0)
ON CONFLICT (shard) DO NOTHING;

-- acquire_look --
SELECT epoch FROM lease
WHERE shard = $1 AND (expires_at <= epoch_ms(clock_timestamp()) OR owner = $2);

-- acquire --
-- Changing the epoch changes a key: waits for every batch in flight that locked the row. Only from the epoch
-- seen before: an attempt that was given up and runs late takes nothing from the one that followed it.
UPDATE lease SET epoch = epoch + 1, owner = $2, expires_at = epoch_ms(clock_timestamp()) + $3::bigint,
    renewed_at = epoch_ms(clock_timestamp())
WHERE shard = $1 AND epoch = $4 AND (expires_at <= epoch_ms(clock_timestamp()) OR owner = $2)
RETURNING epoch, epoch_ms(clock_timestamp()) AS database_now,
    (SELECT coalesce(max(version), 0) FROM site) AS site_version,
    (SELECT version FROM token_version) AS tokens_version;

-- renew --
UPDATE lease SET expires_at = epoch_ms(clock_timestamp()) + $3::bigint, renewed_at = epoch_ms(clock_timestamp())
WHERE shard = $1 AND epoch = $2
RETURNING epoch, epoch_ms(clock_timestamp()) AS database_now,
    (SELECT coalesce(max(version), 0) FROM site) AS site_version,
    (SELECT version FROM token_version) AS tokens_version;

-- release --
UPDATE lease SET expires_at = 0 WHERE shard = $1 AND epoch = $2;

-- load_open --
SELECT body FROM alarm WHERE ended_at IS NULL ORDER BY raised_at, id;

-- load_ended --
SELECT body FROM alarm WHERE ended_at >= $1 ORDER BY ended_at, id;

-- load_facts --
SELECT scope, key, at, body FROM fact ORDER BY scope, key;

-- load_outbox --
SELECT id, alarm, channel, address, body, created_at, give_up_at, attempt FROM outbox ORDER BY id;

-- load_answered --
SELECT scope, id, at, answer FROM answered WHERE at >= $1 ORDER BY at DESC, scope, id LIMIT $2;

-- applied --
SELECT EXISTS (SELECT 1 FROM batch WHERE id = $1) OR EXISTS (SELECT 1 FROM event WHERE id = $1);

-- remembered --
SELECT answer FROM answered WHERE scope = $1 AND id = $2;

-- unclaim --
WITH fence AS MATERIALIZED (
    SELECT 1 FROM lease WHERE shard = $1 AND epoch = $2 FOR KEY SHARE
), freed AS (
    UPDATE outbox SET lease_until = 0 FROM fence WHERE lease_until > 0
)
SELECT count(*) FROM fence;

-- claim --
-- Not before an earlier effect to the same address is settled: one order per address.
WITH fence AS MATERIALIZED (
    SELECT 1 FROM lease WHERE shard = $1 AND epoch = $2 FOR KEY SHARE
), ready AS MATERIALIZED (
    SELECT o.id FROM outbox o
    WHERE o.lease_until <= $3
      AND NOT EXISTS (
          SELECT 1 FROM outbox e
          WHERE e.channel = o.channel AND e.address = o.address AND e.id < o.id AND e.lease_until > $3)
    ORDER BY o.id LIMIT $5
), claimed AS (
    UPDATE outbox o SET lease_until = $3 + $4, attempt = o.attempt + 1
    FROM ready, fence WHERE o.id = ready.id
    RETURNING o.id, o.alarm, o.channel, o.address, o.body, o.created_at, o.give_up_at, o.attempt
)
SELECT * FROM claimed
UNION ALL -- one row without an id says that the lease is held
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM fence
ORDER BY 1 NULLS LAST;

-- settle --
WITH fence AS MATERIALIZED (
    SELECT 1 FROM lease WHERE shard = $1 AND epoch = $2 FOR KEY SHARE
), sent AS (
    DELETE FROM outbox USING fence WHERE id = ANY ($3::text[])
), again AS (
    UPDATE outbox SET lease_until = u.at FROM fence, unnest($4::text[], $5::bigint[]) u (id, at)
    WHERE outbox.id = u.id
)
SELECT count(*) FROM fence;

-- trim --
WITH fence AS MATERIALIZED (
    SELECT 1 FROM lease WHERE shard = $1 AND epoch = $2 FOR KEY SHARE
), replies AS (
    DELETE FROM answered USING fence WHERE at < $3
), batches AS (
    DELETE FROM batch USING fence WHERE written_at < $4
)
SELECT count(*) FROM fence;

-- site --
SELECT version, body FROM site ORDER BY version DESC LIMIT 1;

-- site_at --
SELECT published_at FROM site ORDER BY version DESC LIMIT 1;

-- policies --
SELECT name, version, body FROM policy ORDER BY name, version;

-- publish_lock --
LOCK TABLE site IN SHARE ROW EXCLUSIVE MODE;

-- publish_policies --
-- A version once published is never changed; the rows that would differ come back.
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::integer[], $3::json[]) u (name, version, body)
), added AS (
    INSERT INTO policy (name, version, body) SELECT * FROM given ON CONFLICT (name, version) DO NOTHING
)
SELECT given.name, given.version FROM given JOIN policy USING (name, version)
WHERE given.body::jsonb <> policy.body::jsonb;

-- publish_site --
INSERT INTO site (version, published_at, body)
SELECT coalesce(max(version), 0) + 1, $1::bigint, $2::json FROM site
RETURNING version;

-- token --
SELECT digest, kind, subject, scopes, device FROM token WHERE digest = $1 AND NOT revoked;

-- add_tokens --
INSERT INTO token (digest, kind, subject, scopes, created_at)
SELECT u.digest, u.kind, u.subject, string_to_array(u.scopes, ' '), $5::bigint
FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[]) u (digest, kind, subject, scopes)
ON CONFLICT (digest) DO UPDATE SET scopes = excluded.scopes;

-- tokens_otherwise --
-- Of phones: whose secret is no longer this person's, on this device.
SELECT u.digest FROM unnest($1::bytea[], $2::text[], $3::text[]) u (digest, subject, device)
LEFT JOIN token t ON t.digest = u.digest AND NOT t.revoked AND t.kind = 'phone'
    AND t.subject = u.subject AND t.device = u.device
WHERE t.digest IS NULL;

-- device_enrol --
-- One statement: a phone and its secret come together, or not at all.
WITH made AS (
    INSERT INTO device (id, digest, label, platform, pool, unit, staff, bound_at, enrolled_by, enrolled_at,
        revoked_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    RETURNING id, digest, staff, enrolled_at
)
INSERT INTO token (digest, kind, subject, scopes, created_at, device)
SELECT digest, 'phone', staff, '{}', enrolled_at, id FROM made;

-- device --
SELECT id, digest, label, platform, pool, unit, staff, bound_at, enrolled_by, enrolled_at, revoked_at
FROM device WHERE id = $1;

-- devices --
SELECT id, digest, label, platform, pool, unit, staff, bound_at, enrolled_by, enrolled_at, revoked_at
FROM device
WHERE revoked_at IS NULL AND ($1::text IS NULL OR staff = $1)
    AND ($2::text[] IS NULL OR (pool AND unit = ANY ($2)))
ORDER BY id;

-- devices_seen --
SELECT body ->> 1, max(at) FROM fact WHERE scope = 'device' GROUP BY body ->> 1;

-- device_bind --
WITH bound AS (
    UPDATE device SET staff = $2, bound_at = $3 WHERE id = $1 AND revoked_at IS NULL RETURNING digest
)
UPDATE token SET subject = $2 FROM bound WHERE token.digest = bound.digest RETURNING 1;

-- device_revoke --
WITH gone AS (
    UPDATE device SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING digest
)
UPDATE token SET revoked = true FROM gone WHERE token.digest = gone.digest RETURNING 1;

-- account --
-- By the one name that is given.
SELECT staff, login, handle, created_at, password, must_change, external, disabled_at FROM account
WHERE staff = $1::text OR login = $2::text OR external = $3::text OR handle = $4::bytea;

-- accounts --
SELECT staff, login, handle, created_at, password, must_change, external, disabled_at FROM account
ORDER BY staff;

-- account_put --
INSERT INTO account (staff, login, handle, created_at, password, must_change, external, disabled_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (staff) DO UPDATE SET login = excluded.login, handle = excluded.handle,
    created_at = excluded.created_at, password = excluded.password, must_change = excluded.must_change,
    external = excluded.external, disabled_at = excluded.disabled_at;

-- account_password --
UPDATE account SET password = $3, must_change = $4
WHERE staff = $1 AND password IS NOT DISTINCT FROM $2 AND disabled_at IS NULL RETURNING true;

-- passkeys --
SELECT id, staff, public_key, sign_count, label, created_at, used_at FROM passkey
WHERE staff = $1 ORDER BY created_at, id;

-- passkey --
SELECT id, staff, public_key, sign_count, label, created_at, used_at FROM passkey WHERE id = $1;

-- passkey_put --
INSERT INTO passkey (id, staff, public_key, sign_count, label, created_at, used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET public_key = excluded.public_key, sign_count = excluded.sign_count,
    label = excluded.label, created_at = excluded.created_at, used_at = excluded.used_at
    WHERE passkey.staff = excluded.staff
RETURNING true;

-- passkey_drop --
DELETE FROM passkey WHERE staff = $1 AND id = $2 RETURNING true;

-- session --
SELECT digest, id, staff, method, csrf, label, created_at, seen_at, expires_at, grants, revoked_at FROM session
WHERE digest = $1;

-- sessions --
SELECT digest, id, staff, method, csrf, label, created_at, seen_at, expires_at, grants, revoked_at FROM session
WHERE staff = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC;

-- session_add --
INSERT INTO session (digest, id, staff, method, csrf, label, created_at, seen_at, expires_at, grants, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- session_touch --
UPDATE session SET seen_at = $2, expires_at = $3 WHERE digest = $1 AND revoked_at IS NULL;

-- sessions_revoke --
WITH ended AS (
    UPDATE session SET revoked_at = $1
    WHERE revoked_at IS NULL AND expires_at > $1
      AND ($2::text IS NULL OR id = $2) AND ($3::text IS NULL OR staff = $3)
    RETURNING 1
)
SELECT count(*) FROM ended;

-- sessions_trim --
DELETE FROM session WHERE expires_at < $1;

-- push_targets --
SELECT t.device, t.transport, t.address, t.registered_at, t.keys, t.taken_at
FROM push_target t JOIN device d ON d.id = t.device
WHERE d.revoked_at IS NULL ORDER BY t.device, t.transport;

-- push_carriers --
SELECT id, staff FROM device WHERE revoked_at IS NULL AND staff <> '';

-- push_target_put --
WITH moved AS (
    DELETE FROM push_target WHERE transport = $2 AND address = $3 AND device <> $1
)
INSERT INTO push_target (device, transport, address, registered_at, keys, taken_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (device, transport) DO UPDATE SET address = excluded.address, keys = excluded.keys,
    registered_at = excluded.registered_at, taken_at = excluded.taken_at;

-- push_targets_took --
UPDATE push_target p SET taken_at = $4
FROM unnest($1::text[], $2::text[], $3::text[]) u (device, transport, address)
WHERE p.device = u.device AND p.transport = u.transport AND p.address = u.address;

-- push_target_drop --
DELETE FROM push_target WHERE device = $1 AND transport = $2 AND address = $3 RETURNING 1;

-- alarm --
SELECT body FROM alarm WHERE id = $1;

-- timeline --
SELECT id, version, at, received_at, type, phase, body, reasons, roster FROM event
WHERE alarm = $1 ORDER BY version, at, position, id;

-- alarms --
SELECT body FROM alarm
WHERE ($1::text IS NULL OR phase = $1)
  AND ($2::text[] IS NULL OR unit = ANY ($2))
  AND ($3::text IS NULL OR source = $3)
  AND ($5::text IS NULL OR (raised_at, id) < (SELECT a.raised_at, a.id FROM alarm a WHERE a.id = $5))
ORDER BY raised_at DESC, id DESC
LIMIT $4;

-- condition --
-- For the doctor. Sequential only over small tables.
SELECT current_setting('server_version') AS server, epoch_ms(clock_timestamp()) AS database_now,
       coalesce(l.owner, '') AS lease_owner, coalesce(l.epoch, 0) AS lease_epoch,
       coalesce(l.expires_at, 0) - epoch_ms(clock_timestamp()) AS lease_left_ms,
       (SELECT count(*) FROM quarantine) AS quarantined, (SELECT count(*) FROM outbox) AS unsent
FROM (VALUES (1)) one LEFT JOIN lease l ON l.shard = $1;

-- secrets_held --
SELECT kind, subject, count(*) FROM token WHERE NOT revoked GROUP BY kind, subject;

-- newest_alarms --
SELECT source, max(raised_at) FROM alarm WHERE raised_at >= $1 GROUP BY source;

-- connected --
SELECT pg_is_in_recovery() AS standby, current_setting('synchronous_commit') AS durability;

-- durable --
SET synchronous_commit = on;

-- plan_once --
SET plan_cache_mode = force_generic_plan;

-- migrations_exist --
SELECT to_regclass('schema_migration') IS NOT NULL;

-- migrations_lock --
SELECT pg_advisory_xact_lock(4712030544183);

-- migrations_make --
CREATE TABLE IF NOT EXISTS schema_migration (
    number     integer NOT NULL PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- migrations_applied --
SELECT number, name, checksum FROM schema_migration ORDER BY number;

-- migrations_note --
INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3);

-- drill_put --
INSERT INTO drill (id, unit, cause, began_at, ended_at, result) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, result = excluded.result;

-- drills --
SELECT id, unit, cause, began_at, ended_at, result FROM drill
WHERE unit = $1 ORDER BY began_at DESC, id DESC LIMIT $2;

-- drills_last --
SELECT DISTINCT ON (unit) id, unit, cause, began_at, ended_at, result FROM drill
WHERE ended_at IS NOT NULL ORDER BY unit, began_at DESC, id DESC;

-- drills_unended --
SELECT id, unit, cause, began_at, ended_at, result FROM drill WHERE ended_at IS NULL ORDER BY began_at, id;

-- drills_forget_phones --
UPDATE drill SET result = (result::jsonb - 'lines')::json
WHERE began_at < $1 AND ended_at IS NOT NULL AND result::jsonb ? 'lines';
