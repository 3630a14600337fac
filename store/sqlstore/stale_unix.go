//go:build unix

package sqlstore

import (
	"net"
	"syscall"
)

// isStale reports whether the server has closed an idle connection or said its last word on it, without waiting. An idle
// server may send a notice (N), a parameter (S) or a notification (A); whatever else it has sent is an end.
func isStale(conn net.Conn) bool {
	system, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := system.SyscallConn()
	if err != nil {
		return true
	}
	stale := false
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EAGAIN, err == syscall.EWOULDBLOCK, err == syscall.EINTR:
		case err != nil, n == 0:
			stale = true
		default:
			stale = one[0] != 'N' && one[0] != 'S' && one[0] != 'A'
		}
	})
	return stale || err != nil
}
