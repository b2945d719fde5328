-- +goose Up
CREATE TABLE tenants (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE users (
    id                 BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id          BIGINT NOT NULL REFERENCES tenants (id),
    username           TEXT NOT NULL UNIQUE,
    email              TEXT NOT NULL,
    full_name          TEXT NOT NULL,
    password_hash      TEXT NOT NULL,
    role               TEXT NOT NULL CHECK (role IN ('admin', 'user')),
    is_active          BOOLEAN NOT NULL,
    session_generation BIGINT NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    updated_at         TIMESTAMPTZ NOT NULL
);
CREATE INDEX users_tenant ON users (tenant_id);

CREATE TABLE systems (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      BIGINT NOT NULL REFERENCES tenants (id),
    system_id      TEXT NOT NULL,
    system_type    TEXT NOT NULL,
    system_version TEXT NOT NULL,
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    is_active      BOOLEAN NOT NULL,
    sealed_config  TEXT NOT NULL,
    revision       BIGINT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    UNIQUE (tenant_id, system_id)
);

CREATE TABLE revoked_sessions (
    session_id TEXT PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX revoked_sessions_expiry ON revoked_sessions (expires_at);

-- +goose Down
DROP TABLE revoked_sessions;
DROP TABLE systems;
DROP TABLE users;
DROP TABLE tenants;
