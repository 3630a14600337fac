package main

import (
	"math/bits"
	"time"
)

// histogram counts times in buckets that are three per cent wide, so that millions of them take 16 KiB.
// The zero value is empty. One goroutine at a time uses it.
type histogram struct {
	counts [bucketCount]uint32
	total  int
}

const (
	bucketBits  = 5
	bucketCount = (64 - bucketBits) << bucketBits
)

func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	shift := max(bits.Len64(v)-bucketBits-1, 0)
	return shift<<bucketBits + int(v>>shift)
}

// upperBound is the largest time that falls into the bucket.
func upperBound(bucket int) time.Duration {
	shift := max(bucket>>bucketBits-1, 0)
	return time.Duration((uint64(bucket-shift<<bucketBits)+1)<<shift - 1)
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.total++
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// quantile returns the time that so large a share of all did not exceed, 0 when there are none.
func (h *histogram) quantile(share float64) time.Duration {
	rank := int(share * float64(h.total))
	for i, n := range h.counts {
		if rank -= int(n); rank < 0 {
			return upperBound(i)
		}
	}
	return 0
}
