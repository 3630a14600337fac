-- +goose Up

-- Addresses of which a mail server has said that there is no such mailbox. No mail goes to them for 30 days, unless the address
-- is typed again.
create table if not exists bounced_emails (
    email_key  text        not null primary key, -- keyed hash, as in accounts
    bounced_at timestamptz not null              -- of the last refusal
);

create index if not exists bounced_emails_at on bounced_emails (bounced_at);
