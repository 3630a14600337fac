-- +goose Up

-- Addresses that a process of an older version has filed where only proved ones are now. Periodic work looks for them every
-- ten minutes, and there are none: without this index it reads the whole table each time, which SQLite's writers wait for.
create index if not exists accounts_email_unproved on accounts (email_key) where email_key is not null and not email_active;
