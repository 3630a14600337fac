-- +goose Up

-- Events for a team's own services. An event and its deliveries are written in the transaction of what the event tells, and only
-- while there is an endpoint that wants it. Ids are compared by the code, without foreign keys: those would lock the rows of
-- endpoints in every such transaction.

-- The number of an account's last event.
alter table accounts add column event_seq bigint not null default 0;

create table if not exists endpoints (
    id              text        not null primary key,
    url             text        not null,
    types           text        not null,              -- with a comma before and behind each; one comma alone: every type
    secret_sealed   text        not null,              -- one or two secrets, the newest first
    rotated_at      timestamptz,                       -- when the newest one was made; null: there is only one
    failures        integer     not null default 0,    -- in a row
    failing_since   timestamptz,                       -- the first failure since the last success
    paused_until    timestamptz,
    disabled_at     timestamptz,
    disabled_reason text        not null default '',
    created_at      timestamptz not null,
    updated_at      timestamptz not null
);

create table if not exists events (
    id         text        not null primary key,
    type       text        not null,
    account_id text        not null default '',        -- no key: the account may be deleted
    seq        bigint      not null default 0,
    body       text        not null,                   -- exactly the bytes that are sent
    created_at timestamptz not null
);

create index if not exists events_created on events (created_at);

create table if not exists deliveries (
    id          text        not null primary key,      -- <event>.<endpoint>
    event_id    text        not null,
    endpoint_id text        not null,
    state       text        not null,
    attempt     integer     not null default 0,        -- number of the last claim
    failed      integer     not null default 0,        -- attempts that count
    enqueues    integer     not null default 0,        -- tasks; part of the task's id
    next_at     timestamptz not null,
    lease_until timestamptz,                           -- of the task while it is queued, of the claim while it is being sent
    result      text        not null default '',       -- of the last attempt
    status      integer     not null default 0,        -- of its HTTP answer
    created_at  timestamptz not null,
    updated_at  timestamptz not null,

    constraint deliveries_state check (state in ('waiting', 'queued', 'sending', 'done', 'failed'))
);

create index if not exists deliveries_event on deliveries (event_id);
create index if not exists deliveries_waiting on deliveries (endpoint_id, next_at) where state = 'waiting';
create index if not exists deliveries_open on deliveries (endpoint_id) where state = 'queued' or state = 'sending';
create index if not exists deliveries_created on deliveries (created_at);
