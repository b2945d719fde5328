-- +goose Up
ALTER TABLE tenants
    ADD COLUMN status        TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'trial', 'suspended', 'deleted')),
    ADD COLUMN trial_ends_at TIMESTAMPTZ,
    ADD COLUMN limits        TEXT NOT NULL DEFAULT '{}',
    ADD COLUMN access        TEXT NOT NULL DEFAULT '{}',
    ADD COLUMN updated_at    TIMESTAMPTZ;
UPDATE tenants SET updated_at = created_at;

ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE users
    ADD CONSTRAINT users_role_check CHECK (role IN ('operator', 'admin', 'user', 'viewer')),
    ADD COLUMN language      TEXT NOT NULL DEFAULT '',
    ADD COLUMN granted       TEXT NOT NULL DEFAULT '',
    ADD COLUMN last_login_at TIMESTAMPTZ;

-- +goose Down
-- Who may only read, or only some systems, may not log in any more.
UPDATE users SET is_active = is_active AND role <> 'viewer' AND granted = '',
    role = CASE WHEN role IN ('operator', 'admin') THEN 'admin' ELSE 'user' END;
ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE users
    ADD CONSTRAINT users_role_check CHECK (role IN ('admin', 'user')),
    DROP COLUMN language, DROP COLUMN granted, DROP COLUMN last_login_at;
ALTER TABLE tenants DROP COLUMN status, DROP COLUMN trial_ends_at, DROP COLUMN limits, DROP COLUMN access, DROP COLUMN updated_at;
