//go:build !unix

package sqlstore

import "net"

// isStale cannot tell here: a stale connection shows when it is used.
func isStale(net.Conn) bool { return false }
