-- +goose Up
CREATE TABLE operations (
    id          TEXT PRIMARY KEY,
    tenant_id   INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    username    TEXT NOT NULL,
    kind        TEXT NOT NULL,
    system_id   TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    parameters  TEXT NOT NULL,
    state       TEXT NOT NULL,
    done        INTEGER NOT NULL,
    total       INTEGER NOT NULL,
    message     TEXT NOT NULL,
    cursor      TEXT NOT NULL,
    result      TEXT NOT NULL,
    error       TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    claims      INTEGER NOT NULL,
    cancel      BOOLEAN NOT NULL,
    revision    INTEGER NOT NULL,
    worker      TEXT NOT NULL,
    lease_until TIMESTAMP NOT NULL,
    next_at     TIMESTAMP NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    updated_at  TIMESTAMP NOT NULL,
    started_at  TIMESTAMP,
    finished_at TIMESTAMP,
    expires_at  TIMESTAMP
);
CREATE INDEX operations_tenant ON operations (tenant_id, id);
CREATE INDEX operations_due ON operations (state, next_at);
CREATE INDEX operations_expiry ON operations (expires_at);
CREATE TABLE operation_parts (
    operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    seq          INTEGER NOT NULL,
    body         TEXT NOT NULL,
    PRIMARY KEY (operation_id, seq)
);

-- +goose Down
DROP TABLE operation_parts;
DROP TABLE operations;
