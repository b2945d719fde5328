-- +goose Up
ALTER TABLE systems ADD COLUMN pinned_version TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE systems DROP COLUMN pinned_version;
