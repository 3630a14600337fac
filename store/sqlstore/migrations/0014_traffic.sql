-- +goose Up

-- What the operators' page shows of a day, counted by quarters of an hour: a day of a million messages is too much to
-- be counted for each page. Periodic work counts a quarter again when one of its messages has changed.
create table if not exists traffic (
    quarter    timestamptz not null primary key, -- when it begins
    tally      text        not null,             -- counts as JSON, see package vitals; nothing of a single message
    counted_at timestamptz not null              -- later changes of its messages are not in it
);

-- Lists by number, provider and the provider's code, the newest first.
create index if not exists messages_to       on messages (to_masked, created_at);
create index if not exists messages_provider on messages (provider, created_at);
create index if not exists messages_code     on messages (provider_code, created_at) where provider_code <> '';
create index if not exists messages_dead     on messages (created_at) where state in ('failed', 'undelivered', 'dropped');
