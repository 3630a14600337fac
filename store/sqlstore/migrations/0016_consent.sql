-- +goose Up

-- When the person has agreed to the terms, and to which version of them. Null: the account is older than this column, was
-- imported, or was made by an operator.
--
-- Accounts may have no user name since this version: username is empty then, and username_key is a hyphen and the id, which is
-- unique and the key of no name.
alter table accounts add column agreed_at timestamptz;
alter table accounts add column agreed_terms text not null default '';
