-- +goose Up
CREATE TABLE workers (
    id         TEXT PRIMARY KEY,
    host       TEXT NOT NULL,
    process    INTEGER NOT NULL,
    slots      INTEGER NOT NULL,
    started_at TIMESTAMP NOT NULL,
    seen_at    TIMESTAMP NOT NULL
);
CREATE INDEX operations_finished ON operations (finished_at);

-- +goose Down
DROP INDEX operations_finished;
DROP TABLE workers;
