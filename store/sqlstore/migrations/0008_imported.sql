-- +goose Up

-- Accounts whose hash came from elsewhere: those made here begin with a dollar sign, imported ones with the name of their
-- algorithm.
create index if not exists accounts_imported on accounts (id) where password_hash > '' and substr(password_hash, 1, 1) <> '$';
