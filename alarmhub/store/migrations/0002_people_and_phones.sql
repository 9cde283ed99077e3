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

ALTER TABLE token ADD COLUMN device text COLLATE "C" NOT NULL DEFAULT '';

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
