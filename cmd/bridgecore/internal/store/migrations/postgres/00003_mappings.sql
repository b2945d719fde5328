-- +goose Up
CREATE TABLE mappings (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  BIGINT NOT NULL REFERENCES tenants (id),
    system_ref BIGINT NOT NULL REFERENCES systems (id) ON DELETE CASCADE,
    model      TEXT NOT NULL,
    version    BIGINT NOT NULL,
    source     TEXT NOT NULL,
    deleted    BOOLEAN NOT NULL,
    note       TEXT NOT NULL,
    author     TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (system_ref, model, version)
);

-- +goose Down
DROP TABLE mappings;
