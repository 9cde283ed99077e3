-- The whole schema as one file, for reading. The database is made by migrations/; a test proves that
-- their sum is this file. Times are epoch milliseconds of the hub's clock; alarm_readable shows them as dates.
-- No foreign keys on the write path: one statement writes all rows of a commit or none.

CREATE FUNCTION epoch_ms(moment timestamptz) RETURNS bigint IMMUTABLE PARALLEL SAFE
    RETURN (extract(epoch FROM moment) * 1000)::bigint;

-- Who is active. The epoch is part of a key on purpose: a takeover changes a key and so waits for the
-- FOR KEY SHARE of a batch in flight, a renewal does not and so never makes a batch wait.
CREATE TABLE lease (
    shard      text COLLATE "C" NOT NULL PRIMARY KEY,
    epoch      bigint NOT NULL,
    owner      text NOT NULL,
    expires_at bigint NOT NULL,
    renewed_at bigint NOT NULL,
    UNIQUE (shard, epoch)
) WITH (fillfactor = 10);

-- Applied batches, so that writing one again changes nothing. written_at is the last renewal of the lease.
CREATE TABLE batch (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    written_at bigint NOT NULL
);
CREATE INDEX batch_written_at ON batch USING brin (written_at);

-- One row per alarm, open and ended. Updates stay within their page (HOT): no indexed column changes
-- until the end, which is why phase and at are in no index and ended_at is derived from them.
CREATE TABLE alarm (
    id        text COLLATE "C" NOT NULL PRIMARY KEY,
    source    text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    kind      text COLLATE "C" NOT NULL,
    priority  text COLLATE "C" NOT NULL,
    place     text NOT NULL,
    unit      text COLLATE "C" NOT NULL,
    phase     text COLLATE "C" NOT NULL,
    version   bigint NOT NULL,
    raised_at bigint NOT NULL,
    at        bigint NOT NULL,
    due       bigint,
    body      json NOT NULL,
    ended_at  bigint GENERATED ALWAYS AS (CASE WHEN phase = 'ended' THEN at END) STORED
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX alarm_raised_at ON alarm (raised_at, id);
CREATE INDEX alarm_open ON alarm (raised_at, id) WHERE ended_at IS NULL;
CREATE INDEX alarm_ended_at ON alarm (ended_at) WHERE ended_at IS NOT NULL;

-- The log: what happened, and why what followed followed. Append-only, enforced below.
CREATE TABLE event (
    id          text COLLATE "C" NOT NULL PRIMARY KEY,
    alarm       text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    at          bigint NOT NULL,
    received_at bigint NOT NULL,
    type        text COLLATE "C" NOT NULL,
    body        json NOT NULL,
    reasons     json NOT NULL,
    phase       text COLLATE "C" NOT NULL,
    roster      text COLLATE "C" NOT NULL,
    position    integer NOT NULL -- within its batch; a sequence would cost every batch a log record
);
CREATE INDEX event_alarm ON event (alarm, version);

-- Effects to carry out; a row is deleted once the effect was taken or given up.
CREATE TABLE outbox (
    id          text COLLATE "C" NOT NULL PRIMARY KEY,
    alarm       text COLLATE "C" NOT NULL,
    channel     text COLLATE "C" NOT NULL,
    address     text COLLATE "C" NOT NULL,
    body        json NOT NULL,
    created_at  bigint NOT NULL,
    give_up_at  bigint NOT NULL,
    attempt     integer NOT NULL,
    lease_until bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

-- Replies given, so that the same id gets the same answer.
CREATE TABLE answered (
    scope  text COLLATE "C" NOT NULL,
    id     text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    answer bytea NOT NULL,
    PRIMARY KEY (scope, id)
);
CREATE INDEX answered_at ON answered USING brin (at);

-- Small durable facts outside any alarm: presence, availability, a device last seen.
CREATE TABLE fact (
    scope text COLLATE "C" NOT NULL,
    key   text COLLATE "C" NOT NULL,
    at    bigint NOT NULL,
    body  json NOT NULL,
    PRIMARY KEY (scope, key)
) WITH (fillfactor = 60);

-- Rosters decisions were made with, by hash, so that a decision can be replayed.
CREATE TABLE roster (
    hash text COLLATE "C" NOT NULL PRIMARY KEY,
    body json NOT NULL
);

-- Events that could not be stored or decided, kept for an engineer.
CREATE TABLE quarantine (
    id    text COLLATE "C" NOT NULL PRIMARY KEY,
    at    bigint NOT NULL,
    alarm text COLLATE "C",
    cause text NOT NULL,
    body  bytea NOT NULL
);

-- Published site files, whole, and every policy version an alarm may be pinned to.
CREATE TABLE site (
    version      bigint NOT NULL PRIMARY KEY,
    published_at bigint NOT NULL,
    body         json NOT NULL
);
CREATE TABLE policy (
    name    text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    body    json NOT NULL,
    PRIMARY KEY (name, version)
);

-- Bearer secrets as their SHA-256. To revoke one: UPDATE token SET revoked = true WHERE …
CREATE TABLE token (
    digest     bytea NOT NULL PRIMARY KEY,
    kind       text COLLATE "C" NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    scopes     text[] NOT NULL,
    created_at bigint NOT NULL,
    revoked    boolean NOT NULL DEFAULT false,
    device     text COLLATE "C" NOT NULL DEFAULT ''
);

-- One row: rises whenever any token changes; running hubs learn of it with the lease.
CREATE TABLE token_version (
    single  boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (single),
    version bigint NOT NULL
);
INSERT INTO token_version (version) VALUES (0);

CREATE FUNCTION count_token_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE token_version SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER token_changed AFTER INSERT OR UPDATE OR DELETE ON token
    FOR EACH STATEMENT EXECUTE FUNCTION count_token_change();

CREATE FUNCTION refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is not edited: % on table % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- People who sign in. staff is an id of the site file; login is kept in lower case.
CREATE TABLE account (
    staff       text COLLATE "C" NOT NULL PRIMARY KEY,
    login       text COLLATE "C" NOT NULL UNIQUE,
    password    text, -- argon2id, encoded; NULL = a passkey or the hospital's sign-in only
    must_change boolean NOT NULL DEFAULT false,
    external    text COLLATE "C" UNIQUE, -- the HSA identity the hospital's sign-in knows the person by
    handle      bytea NOT NULL UNIQUE, -- what passkeys know the person by (WebAuthn user handle)
    created_at  bigint NOT NULL,
    disabled_at bigint
);

CREATE TABLE passkey (
    id         bytea NOT NULL PRIMARY KEY,
    staff      text COLLATE "C" NOT NULL REFERENCES account (staff) ON DELETE CASCADE,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    label      text NOT NULL,
    created_at bigint NOT NULL,
    used_at    bigint
);
CREATE INDEX passkey_staff ON passkey (staff);

-- Signed-in browsers, by the SHA-256 of their cookie. grants: what the hospital's sign-in said, as "role:unit".
CREATE TABLE session (
    digest     bytea NOT NULL PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE, -- shown to people; opens nothing
    staff      text COLLATE "C" NOT NULL,
    method     text COLLATE "C" NOT NULL, -- password | passkey | oidc
    csrf       text NOT NULL,
    grants     text[] NOT NULL,
    label      text NOT NULL, -- browser and system, in a person's words
    created_at bigint NOT NULL,
    seen_at    bigint NOT NULL,
    expires_at bigint NOT NULL,
    revoked_at bigint
);
CREATE INDEX session_staff ON session (staff);

-- Phones that were enrolled. Their secret is a row of token with the same digest; whoever carries the phone now
-- is that token's subject, "" = nobody is signed in on it.
CREATE TABLE device (
    id          text COLLATE "C" NOT NULL PRIMARY KEY,
    digest      bytea NOT NULL UNIQUE,
    label       text NOT NULL,
    platform    text NOT NULL,
    pool        boolean NOT NULL,
    unit        text COLLATE "C" NOT NULL, -- home of a pool phone, "" = none
    staff       text COLLATE "C" NOT NULL, -- who carries it, "" = nobody
    bound_at    bigint,
    enrolled_by text COLLATE "C" NOT NULL,
    enrolled_at bigint NOT NULL,
    revoked_at  bigint
);
CREATE INDEX device_staff ON device (staff) WHERE revoked_at IS NULL;

-- Where a push reaches a phone: one address for each transport.
CREATE TABLE push_target (
    device        text COLLATE "C" NOT NULL,
    transport     text COLLATE "C" NOT NULL, -- apns | fcm | webpush
    address       text NOT NULL, -- a token, or an endpoint
    keys          json NOT NULL,
    registered_at bigint NOT NULL,
    taken_at      bigint, -- when the provider last took a push for it
    PRIMARY KEY (device, transport)
);

-- Drills of the last hop: what became of each phone and channel, as JSON.
CREATE TABLE drill (
    id       text COLLATE "C" NOT NULL PRIMARY KEY,
    unit     text COLLATE "C" NOT NULL,
    cause    text COLLATE "C" NOT NULL, -- shift_start | policy | source | software | asked
    began_at bigint NOT NULL,
    ended_at bigint,
    result   json NOT NULL
);
CREATE INDEX drill_unit ON drill (unit, began_at);

-- For people with psql at night.
CREATE VIEW alarm_readable AS
    SELECT id, kind, priority, phase, unit, place, source, key, version,
           to_timestamp(raised_at / 1000.0) AS raised,
           to_timestamp(at / 1000.0) AS changed,
           to_timestamp(due / 1000.0) AS next_deadline,
           to_timestamp(ended_at / 1000.0) AS ended,
           body ->> 'text' AS text,
           body ->> 'source_text' AS source_text,
           body -> 'told' AS told,
           body -> 'acceptances' AS acceptances
    FROM alarm;
