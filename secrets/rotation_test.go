package secrets_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/secrets"
)

// The steps of a rotation from k1 to k2, as docs/keys.md has them.
func steps(t *testing.T) map[string]*secrets.Keys {
	t.Helper()
	first, second := "k1:"+encoded("a"), "k2:"+encoded("b")
	return map[string]*secrets.Keys{
		"before": mustKeys(t, first),
		"known":  mustKeys(t, first+","+second+",k1"),
		"signs":  mustKeys(t, second+","+first),
		"moved":  mustKeys(t, second+","+first+",k2"), // reindexed
		"alone":  mustKeys(t, second),
	}
}

func TestParseKeys_lets_an_earlier_key_index(t *testing.T) {
	t.Parallel()
	for step, want := range map[string]struct {
		ids          []string
		signs, index string
	}{
		"before": {[]string{"k1"}, "k1", "k1"},
		"known":  {[]string{"k1", "k2"}, "k1", "k1"},
		"signs":  {[]string{"k2", "k1"}, "k2", "k1"},
		"moved":  {[]string{"k2", "k1"}, "k2", "k2"},
		"alone":  {[]string{"k2"}, "k2", "k2"},
	} {
		keys := steps(t)[step]
		if diff := cmp.Diff(want.ids, keys.IDs()); diff != "" || keys.SigningID() != want.signs || keys.IndexID() != want.index {
			t.Errorf("%s: %s signs, %s indexes; ids (-want +got):\n%s", step, keys.SigningID(), keys.IndexID(), diff)
		}
	}
	for _, spec := range []string{
		"k1", "k1:" + encoded("a") + ",k2", "k1:" + encoded("a") + ",k1,k2:" + encoded("b"),
		"k1:" + encoded("a") + ",k1:" + encoded("a"), "k1," + "k1:" + encoded("a"),
	} {
		if _, err := secrets.ParseKeys(spec); err == nil {
			t.Errorf("ParseKeys(%.12q…) was accepted", spec)
		}
	}
}

// Neighbouring steps run beside each other while processes are restarted: each must read what the other makes.
func TestKeys_neighbouring_steps_of_a_rotation_read_each_other(t *testing.T) {
	t.Parallel()
	all := steps(t)
	for _, pair := range [][2]string{{"before", "known"}, {"known", "before"}, {"known", "signs"}, {"signs", "known"}} {
		from, to := all[pair[0]], all[pair[1]]
		d := secrets.Derivation{KeyID: from.SigningID(), ID: "id", To: "13800138000", Purpose: "login", Length: 6}
		made, _ := from.Code(d)
		if read, err := to.Code(d); err != nil || read != made {
			t.Errorf("%v: code %q, %v, want %q", pair, read, err, made)
		}
		sealed := from.Seal("13800138000", "ctx")
		if plain, err := to.Open(sealed, "ctx"); err != nil || plain != "13800138000" {
			t.Errorf("%v: open = %q, %v", pair, plain, err)
		}
		token, _ := from.SignToken("", secrets.Token{Account: "a", ExpiresAt: time.Unix(100, 0)})
		if _, err := to.ParseToken(token, time.Unix(50, 0)); err != nil {
			t.Errorf("%v: token: %v", pair, err)
		}
		if from.Index("mobile", "1") != to.Index("mobile", "1") {
			t.Errorf("%v: the index differs", pair)
		}
	}
	sealed := all["signs"].Seal("x", "ctx")
	if _, err := all["before"].Open(sealed, "ctx"); !errors.Is(err, secrets.ErrUnknownKey) {
		t.Errorf("a step left out: %v, want ErrUnknownKey", err)
	}
	if all["signs"].Index("mobile", "1") == all["moved"].Index("mobile", "1") {
		t.Error("moving the index changed no hash")
	}
}

func TestSealedBy(t *testing.T) {
	t.Parallel()
	sealed := mustKeys(t, "k1:"+encoded("a")).Seal("x", "ctx")
	for text, want := range map[string]string{sealed: "k1", "": "", "nothing": "", "toolongid.x": "", ".x": ""} {
		if got := secrets.SealedBy(text); got != want {
			t.Errorf("SealedBy(%.10q) = %q, want %q", text, got, want)
		}
	}
}
