-- +goose Up
CREATE TABLE sync_links (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  INTEGER NOT NULL REFERENCES tenants (id),
    source_ref INTEGER NOT NULL REFERENCES systems (id) ON DELETE CASCADE,
    target_ref INTEGER NOT NULL REFERENCES systems (id) ON DELETE CASCADE,
    words      TEXT NOT NULL,
    model      TEXT NOT NULL,
    source     TEXT NOT NULL,
    target     TEXT NOT NULL,
    pending    BOOLEAN NOT NULL,
    late       BOOLEAN NOT NULL,
    conflict   BOOLEAN NOT NULL,
    refused    BOOLEAN NOT NULL,
    run        TEXT NOT NULL,
    step       INTEGER NOT NULL,
    body       TEXT NOT NULL
);
CREATE UNIQUE INDEX sync_links_source ON sync_links (source_ref, target_ref, words, model, source) WHERE source <> '';
CREATE UNIQUE INDEX sync_links_target ON sync_links (source_ref, target_ref, words, model, target) WHERE target <> '';
CREATE INDEX sync_links_target_ref ON sync_links (target_ref);
CREATE TABLE sync_states (
    tenant_id   INTEGER NOT NULL REFERENCES tenants (id),
    source_ref  INTEGER NOT NULL REFERENCES systems (id) ON DELETE CASCADE,
    target_ref  INTEGER NOT NULL REFERENCES systems (id) ON DELETE CASCADE,
    words       TEXT NOT NULL,
    model       TEXT NOT NULL,
    body        TEXT NOT NULL,
    holder      TEXT NOT NULL,
    lease_until TIMESTAMP NOT NULL,
    PRIMARY KEY (source_ref, target_ref, words, model)
);

-- +goose Down
DROP TABLE sync_states;
DROP TABLE sync_links;
