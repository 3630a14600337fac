-- +goose Up

-- Changes of accounts that can still be undone. A row holds the proved contacts as they were before its change, each
-- with the time when an earlier change had brought it, and is deleted when its time is over.
create table account_changes (
    id                text        not null primary key,     -- UUID, version 7; the link that undoes the change names it
    account_id        text        not null references accounts (id),
    kind              text        not null,
    changed_at        timestamptz not null,
    ends_at           timestamptz not null,                 -- cannot be undone from then on
    mobile_key        text,                                 -- null: there was no number
    mobile_sealed     text,
    mobile_masked     text        not null default '',
    mobile_changed_at timestamptz,
    email_key         text,                                 -- null: no address was proved
    email_sealed      text,
    email_masked      text        not null default '',
    email_changed_at  timestamptz,

    constraint account_changes_kind check (kind in ('mobile', 'email', 'email_asked', 'password', 'claim'))
);

create index account_changes_account on account_changes (account_id, changed_at);
create index account_changes_mobile on account_changes (mobile_key);   -- a former number undoes with a code
create index account_changes_ends on account_changes (ends_at);

alter table accounts add column mobile_changed_at timestamptz;         -- null: the number came with the account
alter table accounts add column email_changed_at timestamptz;
alter table accounts add column seen_at timestamptz;                   -- last use, to a day; null: not since there is this column

-- A number that a new account has proved while an account that was not seen for long still has it.
alter table accounts add column pending_mobile_key text;
alter table accounts add column pending_mobile_sealed text;
alter table accounts add column pending_mobile_masked text not null default '';
alter table accounts add column pending_mobile_at timestamptz;
create unique index accounts_pending_mobile on accounts (pending_mobile_key);
create index accounts_claims on accounts (pending_mobile_at) where pending_mobile_at is not null;

-- What a notice tells, as JSON without anything that is not masked.
alter table messages add column details text not null default '';
