-- +goose Up
CREATE TABLE mappings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  INTEGER NOT NULL REFERENCES tenants (id),
    system_ref INTEGER NOT NULL REFERENCES systems (id) ON DELETE CASCADE,
    model      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    source     TEXT NOT NULL,
    deleted    BOOLEAN NOT NULL,
    note       TEXT NOT NULL,
    author     TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    UNIQUE (system_ref, model, version)
);

-- +goose Down
DROP TABLE mappings;
