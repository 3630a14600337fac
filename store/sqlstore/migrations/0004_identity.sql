-- +goose Up

-- The columns email_* hold a proved address only, which is unique. An address that waits for its proof is in
-- pending_email_*: any number of accounts may wait with the same one, and the first proof decides whose it is.
-- Both are sealed in the same context, so that a proof moves the seal as it is.
alter table accounts add column pending_email_key text;
alter table accounts add column pending_email_sealed text
    constraint accounts_pending_email_whole check ((pending_email_key is null) = (pending_email_sealed is null));
alter table accounts add column pending_email_masked text not null default '';
-- When the proof was last asked for. Null: it was imported, and nothing of it runs out.
alter table accounts add column pending_email_at timestamptz;

-- Accounts registered here have hashes of this form; imported ones that never signed in have others.
update accounts
set pending_email_key = email_key, pending_email_sealed = email_sealed, pending_email_masked = email_masked,
    pending_email_at = case when password_hash like '$argon2id$%' then updated_at end,
    email_key = null, email_sealed = null, email_masked = ''
where email_key is not null and not email_active;

create index accounts_pending_email on accounts (pending_email_key) where pending_email_key is not null;
create index accounts_pending_email_at on accounts (pending_email_at) where pending_email_at is not null;

-- The network from which a mail was asked for: the /24 of IPv4 or the /48 of IPv6, never the full address.
alter table messages add column network text not null default '';

-- Addresses whose owner has said that a registration was not theirs: no mail asks for a proof before the end.
create table declined_emails (
    email_key text        not null primary key, -- keyed hash, as in accounts
    until     timestamptz not null
);

create index declined_emails_until on declined_emails (until);
