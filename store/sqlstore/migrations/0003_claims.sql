-- +goose Up

-- The name of the running claim, by which a worker knows its own again when the answer to it was lost.
alter table messages add column claim text not null default '';
