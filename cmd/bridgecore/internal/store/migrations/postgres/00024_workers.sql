-- +goose Up
CREATE TABLE workers (
    id         TEXT PRIMARY KEY,
    host       TEXT NOT NULL,
    process    BIGINT NOT NULL,
    slots      BIGINT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    seen_at    TIMESTAMPTZ NOT NULL
);
CREATE INDEX operations_finished ON operations (finished_at);

-- +goose Down
DROP INDEX operations_finished;
DROP TABLE workers;
