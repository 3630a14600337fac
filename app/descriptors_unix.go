//go:build unix

package app

import (
	"math"
	"syscall"
)

// ownDescriptors are for the stores, processes for hashes, files and the other port.
const ownDescriptors = 256

// roomForConnections returns how many connections of clients the system gives this process descriptors for.
func roomForConnections() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return max(int(limit.Cur)-ownDescriptors, int(limit.Cur)/2, 1)
}
