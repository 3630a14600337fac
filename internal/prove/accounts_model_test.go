package prove_test

import (
	"maps"
	"slices"
	"time"

	"usher/accounts"
)

// The policy of the accounts of row 25.
const (
	linkLife      = time.Hour
	unprovedTTL   = 24 * time.Hour
	declinedFor   = 24 * time.Hour
	numberRecheck = 180 * 24 * time.Hour
)

// modelAccount is all that the model knows of an account. Numbers and addresses count from 1; 0 is none.
type modelAccount struct {
	id, name, password string
	active             bool

	number, address     int // proved
	numberAt, addressAt time.Time
	pending             int // address that waits for its proof
	pendingAt           time.Time
	claimed             int // number that another account still has
	claimedAt           time.Time

	seen, updated   time.Time
	sessions, links int // generations
	changes         []*modelChange
}

// modelChange is a change with what the account had before it.
type modelChange struct {
	kind                accounts.ChangeKind
	at, ends            time.Time
	number, address     int
	numberAt, addressAt time.Time
}

// modelAccounts is the state machine of docs/accounts.md.
type modelAccounts struct {
	all      []*modelAccount
	declined map[int]time.Time    // address -> until when no mail goes there
	held     map[string]time.Time // name of an account that ran out -> since when; periodic work frees it after a day
}

func (m *modelAccounts) find(has func(*modelAccount) bool) *modelAccount {
	if i := slices.IndexFunc(m.all, has); i >= 0 {
		return m.all[i]
	}
	return nil
}

func (m *modelAccounts) byName(name string) *modelAccount {
	return m.find(func(a *modelAccount) bool { return a.name == name })
}

func (m *modelAccounts) byNumber(number int) *modelAccount {
	return m.find(func(a *modelAccount) bool { return number != 0 && a.number == number })
}

func (m *modelAccounts) byAddress(address int) *modelAccount {
	return m.find(func(a *modelAccount) bool { return address != 0 && a.address == address })
}

func (m *modelAccounts) claimer(number int) *modelAccount {
	return m.find(func(a *modelAccount) bool { return number != 0 && a.claimed == number })
}

func (m *modelAccounts) remove(gone *modelAccount) {
	m.all = slices.DeleteFunc(m.all, func(a *modelAccount) bool { return a == gone })
}

// waiting accounts have nothing but an address that is not proved.
func (a *modelAccount) waiting() bool {
	return !a.active && a.number == 0 && a.address == 0 && a.pending != 0
}

func (a *modelAccount) ranOut(now time.Time) bool {
	return a.pending != 0 && !a.pendingAt.IsZero() && a.pendingAt.Before(now.Add(-unprovedTTL))
}

// outOfSight accounts are not opened by a code alone.
func (a *modelAccount) outOfSight(now time.Time) bool {
	last := a.seen
	if last.IsZero() {
		last = a.updated
	}
	return now.Sub(last) >= numberRecheck && (a.password != "" || a.address != 0)
}

func isSettled(changed, now time.Time) bool {
	return changed.IsZero() || now.Sub(changed) >= accounts.UndoWindow
}

// keep saves the account's data before a change.
func (a *modelAccount) keep(kind accounts.ChangeKind, now time.Time, window time.Duration) *modelChange {
	change := &modelChange{kind, now, now.Add(window), a.number, a.address, a.numberAt, a.addressAt}
	a.changes = append(a.changes, change)
	return change
}

// ofNumber is the account that a right code opens, and why there is none.
func (m *modelAccounts) ofNumber(number int, now time.Time) (*modelAccount, string) {
	holder := m.byNumber(number)
	if holder != nil && !holder.outOfSight(now) {
		return holder, "ok"
	}
	if claimer := m.claimer(number); claimer != nil {
		return claimer, "ok"
	}
	if holder != nil {
		return nil, "second proof"
	}
	return nil, "none"
}

// use is a sign-in: the account is seen, at most once a day, and a claim on its number ends.
func (m *modelAccounts) use(a *modelAccount, now time.Time) {
	if now.Sub(a.seen) < 24*time.Hour {
		return
	}
	a.seen = now
	a.changes = slices.DeleteFunc(a.changes, func(c *modelChange) bool { return c.kind == accounts.NumberClaimed })
	m.endClaim(a.number)
}

func (m *modelAccounts) endClaim(number int) {
	if claimer := m.claimer(number); claimer != nil {
		claimer.claimed, claimer.claimedAt = 0, time.Time{}
	}
}

// admits is the outcome of a registration: it deletes a waiting account whose name is wanted, if its time has run out for so long that
// periodic work would have freed the name.
func (m *modelAccounts) admits(name string, number, address int, now time.Time) string {
	if holder := m.byName(name); holder != nil {
		if !holder.waiting() || !holder.ranOut(now.Add(-accounts.HoldName)) {
			return "taken username"
		}
		m.remove(holder)
	}
	_, isHeld := m.held[name]
	switch {
	case isHeld:
		return "taken username"
	case m.byAddress(address) != nil:
		return "taken email"
	case now.Before(m.declined[address]):
		return "declined"
	}
	holder := m.byNumber(number)
	switch {
	case holder != nil && !holder.outOfSight(now):
		return "taken mobile"
	case m.claimer(number) != nil:
		return "taken mobile"
	}
	return "ok"
}

// register is a registration that admits let in.
func (m *modelAccounts) register(id, name, password string, number, address int, now time.Time) {
	a := &modelAccount{
		id: id, name: name, password: password, active: number != 0, number: number,
		pending: address, seen: now, updated: now, sessions: 1, links: 1,
	}
	if address != 0 {
		a.pendingAt = now
	}
	if holder := m.byNumber(number); holder != nil {
		holder.keep(accounts.NumberClaimed, now, accounts.ClaimWindow)
		a.number, a.claimed, a.claimedAt = 0, number, now
	}
	m.all = append(m.all, a)
}

// prove gives an account the address that waited. Every other account that waits with it loses it.
func (m *modelAccounts) prove(a *modelAccount, password string, now time.Time) {
	if a.address != 0 {
		a.keep(accounts.ChangedEmail, now, accounts.UndoWindow)
		a.addressAt = now
		a.sessions++
	}
	if password != "" {
		a.password = password
		a.sessions++
	}
	address := a.pending
	a.address, a.pending, a.pendingAt, a.active, a.updated = address, 0, time.Time{}, true, now
	m.release(address, now)
}

// release takes an address from those who wait with it, and deletes those that have nothing else.
func (m *modelAccounts) release(address int, now time.Time) {
	for _, a := range slices.Clone(m.all) {
		if a.pending == address && address != 0 {
			m.dropPending(a, now)
		}
	}
}

func (m *modelAccounts) dropPending(a *modelAccount, now time.Time) {
	if a.waiting() {
		m.remove(a)
		return
	}
	a.pending, a.pendingAt, a.updated = 0, time.Time{}, now
}

// undo takes an account back to what it had before a change.
func (m *modelAccounts) undo(a *modelAccount, change *modelChange, password string, now time.Time) {
	a.number, a.numberAt, a.address, a.addressAt = change.number, change.numberAt, change.address, change.addressAt
	if m.find(func(other *modelAccount) bool { return other != a && a.number != 0 && other.number == a.number }) != nil {
		a.number, a.numberAt = 0, time.Time{}
	}
	if m.find(func(other *modelAccount) bool { return other != a && a.address != 0 && other.address == a.address }) != nil {
		a.address, a.addressAt = 0, time.Time{}
	}
	a.pending, a.pendingAt, a.password = 0, time.Time{}, password
	a.sessions, a.links, a.seen, a.updated = a.sessions+1, a.links+1, now, now
	a.changes = slices.DeleteFunc(a.changes, func(c *modelChange) bool { return !c.at.Before(change.at) })
	m.endClaim(a.number)
}

// tidy is the periodic work.
func (m *modelAccounts) tidy(now time.Time) {
	for _, a := range slices.Clone(m.all) {
		if a.ranOut(now) || a.pending != 0 && (m.byAddress(a.pending) != nil || now.Before(m.declined[a.pending])) {
			if a.waiting() {
				m.held[a.name] = now
			}
			m.dropPending(a, now)
		}
	}
	for _, a := range m.all {
		if a.claimed == 0 || now.Sub(a.claimedAt) < accounts.ClaimWindow {
			continue
		}
		if holder := m.byNumber(a.claimed); holder != nil && !holder.seen.After(a.claimedAt) {
			holder.number, holder.numberAt = 0, time.Time{}
		}
		if m.byNumber(a.claimed) == nil {
			a.number = a.claimed
		}
		a.claimed, a.claimedAt = 0, time.Time{}
	}
	maps.DeleteFunc(m.held, func(_ string, since time.Time) bool { return now.Sub(since) >= accounts.HoldName })
	for _, a := range m.all {
		a.changes = slices.DeleteFunc(a.changes, func(c *modelChange) bool { return !c.ends.After(now) })
	}
}
