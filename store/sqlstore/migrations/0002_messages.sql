-- +goose Up

-- Outbox, delivery log and list of what could not be sent, in one. Mails are sent from here. A row of channel
-- sms is history: what Redis, which sends it, last said of a code.
create table messages (
    id            text        not null primary key,
    channel       text        not null,
    purpose       text        not null,
    account_id    text        references accounts (id),          -- null for a number without an account
    language      text        not null default '',               -- in which it is written
    to_masked     text        not null,
    to_sealed     text,                                          -- null: the account's address at the claim
    state         text        not null,
    reason        text        not null default '',               -- of a dropped one
    attempt       integer     not null default 0,                -- number of the last claim
    lease_until   timestamptz,                                   -- of the running claim
    doubts        integer     not null default 0,                -- claims that ran out: each may have sent it
    not_after     timestamptz not null,                          -- worthless past it
    enqueues      integer     not null default 0,                -- tasks beyond the first; part of the task's id
    enqueued_at   timestamptz not null,                          -- when a task was last put on the queue
    generation    integer     not null default 0,                -- of the account's activation, then
    key_id        text        not null default '',               -- key that signs the link
    request_id    text        not null default '',
    provider      text        not null default '',               -- who was asked last
    provider_id   text        not null default '',
    provider_code text        not null default '',
    accepted_at   timestamptz,
    delivered_at  timestamptz,
    used_at       timestamptz,                                   -- when the code was entered
    revision      integer     not null default 0,                -- of an SMS in Redis: a later one replaces the row
    created_at    timestamptz not null,
    updated_at    timestamptz not null,

    constraint messages_channel check (channel in ('sms', 'email')),
    constraint messages_state check (state in
        ('queued', 'sending', 'sent', 'delivered', 'undelivered', 'failed', 'dropped')),
    constraint messages_lease check (state <> 'sending' or lease_until is not null),
    constraint messages_owner check (channel <> 'email' or account_id is not null),
    -- Such a mail goes to the address before the change, which the account does not know any more.
    constraint messages_former check (purpose <> 'email_changed' or to_sealed is not null)
);

create index messages_account on messages (account_id);

-- The relay asks every few seconds for the few messages that are still open among the many that are not.
create index messages_queued on messages (enqueued_at) where state = 'queued';
create index messages_sending on messages (lease_until) where state = 'sending';

-- Lists begin with the newest, and what is old is deleted by the hour.
create index messages_created on messages (created_at);
-- A sign-up is looked up by what its answer, its task and the logs name.
create index messages_request on messages (request_id);
create index messages_closed on messages (updated_at) where state <> 'queued' and state <> 'sending';
