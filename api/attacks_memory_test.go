package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"usher/limits"
)

// What strangers can make Redis remember. docs/scaling.md has the bounds and the bytes.

// keyCounts counts the keys of Redis by kind, which is what follows the hash that a key is about, and logs their bytes.
func (b *bundle) keyCounts() (counts map[string]int, all int) {
	b.t.Helper()
	counts, sizes := map[string]int{}, map[string]int64{}
	iter := b.client.Scan(b.t.Context(), 0, "usher:*", 1000).Iterator()
	for iter.Next(b.t.Context()) {
		kind := iter.Val()
		if parts := strings.SplitN(kind, ":", 4); len(parts) == 4 {
			kind = parts[3]
		}
		counts[kind]++
		all++
		if size, err := b.client.MemoryUsage(b.t.Context(), iter.Val()).Result(); err == nil { // miniredis does not say
			sizes[kind] = max(sizes[kind], size)
		}
	}
	if err := iter.Err(); err != nil {
		b.t.Fatal(err)
	}
	for kind, count := range counts {
		b.t.Logf("%5d × %4d bytes at most: %s", count, sizes[kind], kind)
	}
	return counts, all
}

// crowd makes n requests, eight at a time, and does not care for the answers.
func crowd(n int, request func(i int)) {
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := worker; i < n; i += 8 {
				request(i)
			}
		})
	}
	group.Wait()
}

// 6,000 resends to invented addresses made 12,300 keys for a day once.
func TestMemory_of_6000_resends_from_one_network(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	crowd(6000, func(i int) { b.at(byOneOf(i)).post("/v1/activations/resend", body{"email": unrelated(i)}) })
	// The pause and the day of each of 100 mailboxes, the 100 /64s, their /48 and the total.
	passed := limits.Defaults()[limits.ResendIP.Net()].Count
	if counts, all := b.keyCounts(); all > 3*passed+2 {
		t.Errorf("%d keys, want %d at most: %v", all, 3*passed+2, counts)
	}
}

// madeUp has a request for every endpoint that takes something without a session, about a subject that does not exist.
func madeUp() map[string]func(p *person, i int) *reply {
	post := func(path string, content func(i int) body) func(*person, int) *reply {
		return func(p *person, i int) *reply { return p.post(path, content(i)) }
	}
	return map[string]func(p *person, i int) *reply{
		"look-up of a name":   func(p *person, i int) *reply { return p.get(fmt.Sprintf("/v1/usernames/somebody_%d", i)) },
		"look-up of a number": func(p *person, i int) *reply { return p.get("/v1/mobiles/" + anyNumber(i)) },
		"state of a code":     func(p *person, i int) *reply { return p.get(fmt.Sprintf("/v1/sms-codes/%044d", i)) },
		"captcha and a wrong answer": func(p *person, _ int) *reply {
			asked := p.post("/v1/captchas", body{})
			if asked.status != http.StatusCreated {
				return asked
			}
			return p.post("/v1/captchas/"+asked.str("captcha_id")+"/check", body{"answer": "wrong"})
		},
		"made-up captcha": func(p *person, i int) *reply {
			return p.post(fmt.Sprintf("/v1/captchas/%022d/check", i), body{"answer": "wrong"})
		},
		"recording": post("/v1/captchas", func(i int) body { return body{"kind": "audio", "replaces": fmt.Sprintf("%022d", i)} }),
		"code without a captcha": post("/v1/sms-codes", func(i int) body {
			return body{"mobile": anyNumber(i), "purpose": "login", "captcha_id": fmt.Sprintf("%022d", i), "captcha": "wrong"}
		}),
		"check of a code": post("/v1/sms-codes/check", func(i int) body {
			return body{"mobile": anyNumber(i), "purpose": "login", "sms_code_id": fmt.Sprintf("%044d", i), "code": "123456"}
		}),
		"registration": post("/v1/registrations", func(i int) body {
			return body{
				"username": fmt.Sprintf("somebody_%d", i), "password": password, "password_repeat": password, "agree": true,
				"mobile": anyNumber(i), "sms_code": "123456", "email": unrelated(i),
			}
		}),
		"reset": post("/v1/password-resets", func(i int) body {
			return body{"mobile": anyNumber(i), "sms_code": "123456", "password": password, "password_repeat": password}
		}),
		"sign-in": post("/v1/sessions", func(i int) body {
			return body{"login": fmt.Sprintf("somebody_%d", i), "password": "wrong password"}
		}),
		"sign-in by code": post("/v1/sessions", func(i int) body { return body{"mobile": anyNumber(i), "sms_code": "123456"} }),
		"undo by a number": post("/v1/account-changes/undo", func(i int) body {
			return body{"mobile": anyNumber(i), "sms_code_id": fmt.Sprintf("%044d", i), "sms_code": "123456", "password": password, "password_repeat": password}
		}),
		"undo by a link": post("/v1/account-changes/undo", func(i int) body {
			return body{"token": fmt.Sprint("made up ", i), "password": password, "password_repeat": password}
		}),
		"activation": post("/v1/activations", func(i int) body { return body{"token": fmt.Sprint("made up ", i)} }),
		"decline":    post("/v1/activations/decline", func(i int) body { return body{"token": fmt.Sprint("made up ", i)} }),
		"resend":     post("/v1/activations/resend", func(i int) body { return body{"email": unrelated(i)} }),
	}
}

// networkKeys is how many keys one /48 can make with subjects that do not exist, while the longest of the periods below
// lasts. Each request that is counted has one window of its own /64; those of the network and of everybody are two.
func networkKeys(set limits.Set) int {
	keys := 0
	for _, name := range limits.AddressNames() {
		switch name {
		case limits.SMSIPHour, limits.SMSIPDay, limits.StatusIP, limits.ActivateIP: // count what exists
		default:
			keys += set[name.Net()].Count + 2
		}
	}
	keys += set[limits.CaptchaIP.Net()].Count        // each captcha, and
	keys += set[limits.CheckIP.Net()].Count          // the tries of it
	keys += 2 * set[limits.LoginIP.Net()].Count      // wrong passwords of a name: from the network, from everywhere
	keys += set[limits.LoginAddr.Net()].Count        // and without a captcha
	return keys + 2*set[limits.ResendIP.Net()].Count // the pause and the day of each mailbox
}

func TestMemory_of_made_up_subjects_from_one_network(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	requests, largest := madeUp(), 5*60
	flood := func(from int) (counts map[string]int, all int) {
		for _, name := range slices.Sorted(maps.Keys(requests)) {
			crowd(400, func(i int) { requests[name](b.at(byOneOf(i)), from+i) })
		}
		return b.keyCounts()
	}
	counts, before := flood(0)
	for kind, count := range counts {
		if count > largest {
			t.Errorf("%d keys of the kind %s, want no more than what a network may do: %d", count, kind, largest)
		}
	}
	if want := networkKeys(limits.Defaults()); before > want {
		t.Errorf("%d keys, want %d at most", before, want)
	}
	if counts, after := flood(1000); after > before {
		t.Errorf("%d keys, and %d after as many requests again: %v", before, after, counts)
	}
}

func TestMemory_made_up_ids_and_links_leave_nothing(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	requests := madeUp()
	for _, name := range []string{"state of a code", "undo by a link", "activation", "decline"} {
		for i := range 3 {
			requests[name](b.at(byOneOf(i)), i)
		}
		if counts, all := b.keyCounts(); all > 0 {
			t.Errorf("%s: %v", name, counts)
		}
	}
}
