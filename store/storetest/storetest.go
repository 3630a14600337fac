// Package storetest is the conformance suite that every SQL dialect and every kind of Redis passes.
//
// Each exported function checks one part of a store; the store's own tests call it once for each kind of
// server they find.
package storetest
