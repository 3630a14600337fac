-- +goose Up

-- Who has done what to which account. Rows are written with the change that they are about and are never changed; only pruning
-- deletes them. They have no foreign key, and no number, address or value: they outlive the account.
create table if not exists audit (
    id          text        not null primary key,      -- a UUID whose order is that of time
    occurred_at timestamptz not null,
    actor_kind  text        not null,
    actor       text        not null default '',
    action      text        not null,
    account_id  text        not null default '',
    fields      text        not null default '',       -- names, with commas between
    reason      text        not null default '',
    request_id  text        not null default '',
    network     text        not null default ''
);

create index if not exists audit_occurred on audit (occurred_at);
create index if not exists audit_account on audit (account_id, id) where account_id <> '';
create index if not exists audit_actor on audit (actor, id) where actor <> '';
