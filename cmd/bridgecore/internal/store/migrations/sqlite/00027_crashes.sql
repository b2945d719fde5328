-- +goose Up
ALTER TABLE operations ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE operations DROP COLUMN crashes;
