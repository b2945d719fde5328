-- +goose Up
ALTER TABLE tenants ADD COLUMN status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'trial', 'suspended', 'deleted'));
ALTER TABLE tenants ADD COLUMN trial_ends_at TIMESTAMP;
ALTER TABLE tenants ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
ALTER TABLE tenants ADD COLUMN access TEXT NOT NULL DEFAULT '{}';
ALTER TABLE tenants ADD COLUMN updated_at TIMESTAMP;
UPDATE tenants SET updated_at = created_at;

-- SQLite can't change the check of a column.
CREATE TABLE new_users (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id          INTEGER NOT NULL REFERENCES tenants (id),
    username           TEXT NOT NULL UNIQUE,
    email              TEXT NOT NULL,
    full_name          TEXT NOT NULL,
    password_hash      TEXT NOT NULL,
    role               TEXT NOT NULL CHECK (role IN ('operator', 'admin', 'user', 'viewer')),
    is_active          BOOLEAN NOT NULL,
    session_generation INTEGER NOT NULL,
    language           TEXT NOT NULL DEFAULT '',
    granted            TEXT NOT NULL DEFAULT '',
    last_login_at      TIMESTAMP,
    created_at         TIMESTAMP NOT NULL,
    updated_at         TIMESTAMP NOT NULL
);
INSERT INTO new_users (id, tenant_id, username, email, full_name, password_hash, role, is_active, session_generation, created_at, updated_at)
    SELECT id, tenant_id, username, email, full_name, password_hash, role, is_active, session_generation, created_at, updated_at FROM users;
DROP TABLE users;
ALTER TABLE new_users RENAME TO users;
CREATE INDEX users_tenant ON users (tenant_id);

-- +goose Down
CREATE TABLE old_users (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id          INTEGER NOT NULL REFERENCES tenants (id),
    username           TEXT NOT NULL UNIQUE,
    email              TEXT NOT NULL,
    full_name          TEXT NOT NULL,
    password_hash      TEXT NOT NULL,
    role               TEXT NOT NULL CHECK (role IN ('admin', 'user')),
    is_active          BOOLEAN NOT NULL,
    session_generation INTEGER NOT NULL,
    created_at         TIMESTAMP NOT NULL,
    updated_at         TIMESTAMP NOT NULL
);
-- Who may only read, or only some systems, may not log in any more.
INSERT INTO old_users
    SELECT id, tenant_id, username, email, full_name, password_hash, CASE WHEN role IN ('operator', 'admin') THEN 'admin' ELSE 'user' END,
        is_active AND role <> 'viewer' AND granted = '', session_generation, created_at, updated_at FROM users;
DROP TABLE users;
ALTER TABLE old_users RENAME TO users;
CREATE INDEX users_tenant ON users (tenant_id);
ALTER TABLE tenants DROP COLUMN updated_at;
ALTER TABLE tenants DROP COLUMN access;
ALTER TABLE tenants DROP COLUMN limits;
ALTER TABLE tenants DROP COLUMN trial_ends_at;
ALTER TABLE tenants DROP COLUMN status;
