-- +goose Up
CREATE TABLE operations (
    id          TEXT PRIMARY KEY,
    tenant_id   BIGINT NOT NULL,
    user_id     BIGINT NOT NULL,
    username    TEXT NOT NULL,
    kind        TEXT NOT NULL,
    system_id   TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    parameters  TEXT NOT NULL,
    state       TEXT NOT NULL,
    done        BIGINT NOT NULL,
    total       BIGINT NOT NULL,
    message     TEXT NOT NULL,
    cursor      TEXT NOT NULL,
    result      TEXT NOT NULL,
    error       TEXT NOT NULL,
    attempts    BIGINT NOT NULL,
    claims      BIGINT NOT NULL,
    cancel      BOOLEAN NOT NULL,
    revision    BIGINT NOT NULL,
    worker      TEXT NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL,
    next_at     TIMESTAMPTZ NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    started_at  TIMESTAMPTZ,
    finished_at TIMESTAMPTZ,
    expires_at  TIMESTAMPTZ
);
CREATE INDEX operations_tenant ON operations (tenant_id, id);
CREATE INDEX operations_due ON operations (state, next_at);
CREATE INDEX operations_expiry ON operations (expires_at);
CREATE TABLE operation_parts (
    operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    seq          BIGINT NOT NULL,
    body         TEXT NOT NULL,
    PRIMARY KEY (operation_id, seq)
);

-- +goose Down
DROP TABLE operation_parts;
DROP TABLE operations;
