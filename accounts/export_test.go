package accounts

// Occupy takes every slot of the hasher until release is called.
func (h *Hasher) Occupy() (release func()) {
	for range h.places {
		<-h.free
	}
	return func() {
		for _, place := range h.places {
			h.free <- place
		}
	}
}

// Slots returns how many passwords the hasher works on at once.
func (h *Hasher) Slots() int { return cap(h.free) }

// Processes returns the ids of the processes that the hasher has started and not ended.
func (h *Hasher) Processes() []int {
	var ids []int
	for _, place := range h.places {
		place.mu.Lock()
		if place.process != nil {
			ids = append(ids, place.process.cmd.Process.Pid)
		}
		place.mu.Unlock()
	}
	return ids
}

// Idle does what comes after a minute without a hash.
func (h *Hasher) Idle() {
	for _, place := range h.places {
		place.mu.Lock()
		if place.process != nil {
			place.retire.Reset(0)
		}
		place.mu.Unlock()
	}
}

// DjangoHash reports whether the text is a hash of Django that sign-in takes.
func DjangoHash(text string) bool {
	_, ok := parseDjango(text)
	return ok
}
