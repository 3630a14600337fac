-- +goose Up

-- Written once for PostgreSQL and SQLite: SQLite takes any type name and keeps times as integers, in
-- microseconds since 1970 (see stamp in stamp.go). Migrations only go forward; code of the version
-- before must run with the schema of the next.
create table accounts (
    id                    text        not null primary key,          -- UUID, version 7
    username              text        not null,                      -- as shown
    username_key          text        not null,                      -- folded: twins are one name
    mobile_key            text,                                      -- keyed hash, null without a number
    mobile_sealed         text,                                      -- encrypted, opens with the keys only
    mobile_masked         text        not null default '',           -- for people who read the table
    email_key             text,
    email_sealed          text,
    email_masked          text        not null default '',
    password_hash         text        not null,                      -- argon2id with its parameters
    active                boolean     not null,
    email_active          boolean     not null,
    superuser             boolean     not null,
    activation_generation integer     not null,
    session_generation    integer     not null,
    created_at            timestamptz not null,
    updated_at            timestamptz not null,

    -- The store tells which field is taken by these names.
    constraint accounts_username unique (username_key),
    constraint accounts_mobile   unique (mobile_key),
    constraint accounts_email    unique (email_key),

    constraint accounts_mobile_whole check ((mobile_key is null) = (mobile_sealed is null)),
    constraint accounts_email_whole  check ((email_key is null) = (email_sealed is null)),
    constraint accounts_email_proved check (email_key is not null or not email_active)
);
