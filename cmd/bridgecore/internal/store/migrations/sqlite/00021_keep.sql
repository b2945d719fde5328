-- +goose Up
CREATE TABLE kept_sets (
    tenant     TEXT NOT NULL,
    system     TEXT NOT NULL,
    name       TEXT NOT NULL,
    content    BLOB NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    PRIMARY KEY (tenant, system, name)
);
CREATE INDEX kept_sets_expiry ON kept_sets (expires_at);

-- +goose Down
DROP TABLE kept_sets;
