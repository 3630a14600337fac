-- +goose Up

-- Since when an operator has blocked the account. Null: it is not blocked.
alter table accounts add column blocked_at timestamptz;
