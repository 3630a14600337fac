// Package store says which of the two stores keeps what.
//
// SQL (package sqlstore) keeps what must never be lost: accounts, and the mails that are owed to them.
// Redis (package redisstore) keeps what ends by itself: captchas, codes, limits, sessions and the queues.
// Redis may be emptied at any time; people then ask for another code, and no mail is lost.
//
// Neither keeps a code, a token, a password, a full number or a full address in a form that opens without
// the configured keys, which live in the environment only (package secrets).
package store
