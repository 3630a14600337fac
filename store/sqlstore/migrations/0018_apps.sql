-- +goose Up

-- Services that call the API with keys of their own.
create table if not exists apps (
    id              text             not null primary key,
    name            text             not null,
    scopes          text             not null, -- with commas between
    rate_per_minute bigint           not null, -- 0: the default
    budget_yuan     double precision not null, -- of 24 hours; 0: none
    regions         text             not null, -- ISO codes with commas between; empty: all
    created_at      timestamptz      not null
);

create table if not exists app_keys (
    id           text        not null primary key,
    app_id       text        not null references apps (id),
    hash         text        not null, -- SHA-256 of the whole key, in hex
    created_at   timestamptz not null,
    revoked_at   timestamptz,
    last_used_at timestamptz           -- the hour
);

create index if not exists app_keys_app on app_keys (app_id);
