-- +goose Up

-- Accounts that are gone. A row stays until the user name is free again and the rest of the account was deleted everywhere.
create table if not exists erased_accounts (
    id             text        not null primary key,
    name_hash      text,                             -- keyed hash of the user name; null: none is held
    remains_sealed text,                             -- what is needed to delete the rest; null: it is deleted
    forgotten_at   timestamptz,                      -- when it was deleted first
    erased_at      timestamptz not null
);

create index if not exists erased_accounts_name on erased_accounts (name_hash) where name_hash is not null;
create index if not exists erased_accounts_at on erased_accounts (erased_at);

-- What a person has agreed to, and what was withdrawn. The columns agreed_* of accounts are the present state.
create table if not exists consents (
    id           text        not null primary key,
    account_id   text        not null references accounts (id) on delete cascade, -- releases before this table delete accounts too
    document     text        not null,
    version      text        not null,               -- of the text; empty: the operator has named none
    language     text        not null default '',    -- in which the person has read it
    request_id   text        not null default '',
    agreed_at    timestamptz not null,
    withdrawn_at timestamptz,

    constraint consents_document check (document in ('terms', 'privacy'))
);

create index if not exists consents_account on consents (account_id, agreed_at);

-- Consents from before this table have no row until the next one of their account: to copy them here would hold up every change of
-- an account for as long as that takes, and releases before this one, which may still run, add more.

-- The version of the privacy notice that was agreed to; empty: none.
alter table accounts add column agreed_privacy text not null default '';

-- When the account is erased because its owner has asked for that. Null: it is not.
alter table accounts add column delete_at timestamptz;
