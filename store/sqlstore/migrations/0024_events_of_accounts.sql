-- +goose Up

-- Events of an account, to remove its number and address from them.
create index if not exists events_account on events (account_id) where account_id <> '';
