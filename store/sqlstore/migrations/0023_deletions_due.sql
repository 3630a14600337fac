-- +goose Up

-- Accounts whose deletion is due. It is a migration of its own, and so is the next one: an index holds up writes to its table while it is
-- made, and nothing else should wait meanwhile.
create index if not exists accounts_delete_at on accounts (delete_at) where delete_at is not null;
