package testkit

import "sync"

// Parallel calls f from n goroutines at once and returns what each of them returned.
func Parallel[T any](n int, f func(i int) T) []T {
	results := make([]T, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			results[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return results
}

// Count returns how many elements satisfy the condition.
func Count[T any](all []T, condition func(T) bool) int {
	n := 0
	for _, one := range all {
		if condition(one) {
			n++
		}
	}
	return n
}
