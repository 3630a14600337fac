package accounts

// Occupy takes every slot of the hasher until release is called.
func (h *Hasher) Occupy() (release func()) {
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	return func() {
		for range cap(h.slots) {
			<-h.slots
		}
	}
}

// Slots returns how many passwords the hasher works on at once.
func (h *Hasher) Slots() int { return cap(h.slots) }

// DjangoHash reports whether the text is a hash of Django that sign-in takes.
func DjangoHash(text string) bool {
	_, ok := parseDjango(text)
	return ok
}
