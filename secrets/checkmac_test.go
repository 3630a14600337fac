package secrets_test

import (
	"testing"

	"usher/secrets"
)

// The stores keep codes apart by number and purpose as well; this holds when they are given a wrong one.
func TestKeys_CheckMAC_is_bound_to_all_that_a_code_is_for(t *testing.T) {
	t.Parallel()
	keys := mustKeys(t, "k1:"+encoded("a"))
	base := secrets.Derivation{KeyID: "k1", ID: "id", To: "13800138000", Purpose: "register"}
	want, err := keys.CheckMAC(base, "123456")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := keys.CheckMAC(base, "123456"); err != nil || again != want {
		t.Errorf("the same code gave %q and %q, %v", want, again, err)
	}
	if other, _ := keys.CheckMAC(base, "123457"); other == want {
		t.Error("another code gives the same MAC")
	}
	for name, change := range map[string]func(*secrets.Derivation){
		"id":      func(d *secrets.Derivation) { d.ID = "ie" },
		"number":  func(d *secrets.Derivation) { d.To = "13800138001" },
		"purpose": func(d *secrets.Derivation) { d.Purpose = "login" },
	} {
		changed := base
		change(&changed)
		if other, err := keys.CheckMAC(changed, "123456"); err != nil || other == want {
			t.Errorf("another %s gives the same MAC, %v", name, err)
		}
	}
}
