-- +goose Up

-- Ends of sessions and uses of codes. Redis decides them; a Redis that was restored from an older state, or whose
-- replica was promoted before it had heard of them, would make them undone. Each is kept until what it is about would
-- have ended by itself.
create table spent (
    id    text        not null primary key, -- session/<account>/<generation>/<keyed hash>, or code/<id>
    until timestamptz not null
);

create index spent_until on spent (until);
