-- +goose Up
-- tenant_id 0 is nobody's: attempts to log in with a name that does not exist.
CREATE TABLE audit_log (
    tenant_id   INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    at          TIMESTAMP NOT NULL,
    user_id     INTEGER NOT NULL,
    username    TEXT NOT NULL,
    action      TEXT NOT NULL,
    system_id   TEXT NOT NULL,
    model       TEXT NOT NULL,
    record_ids  TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    status      INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    request_id  TEXT NOT NULL,
    address     TEXT NOT NULL,
    agent       TEXT NOT NULL,
    details     TEXT NOT NULL,
    hash        TEXT NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_log_at ON audit_log (tenant_id, at);

-- The end of each tenant's chain, and where it begins since old entries went.
CREATE TABLE audit_chains (
    tenant_id  INTEGER PRIMARY KEY,
    seq        INTEGER NOT NULL,
    hash       TEXT NOT NULL,
    start_seq  INTEGER NOT NULL,
    start_hash TEXT NOT NULL
);

-- +goose Down
DROP TABLE audit_chains;
DROP TABLE audit_log;
