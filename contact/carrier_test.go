package contact_test

import (
	"slices"
	"testing"

	"usher/contact"
)

func TestCarrier_follows_from_the_prefix(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]contact.Carrier{
		"13800138000": contact.ChinaMobile, "15012345678": contact.ChinaMobile, "19812345678": contact.ChinaMobile,
		"13012345678": contact.ChinaUnicom, "18612345678": contact.ChinaUnicom, "16612345678": contact.ChinaUnicom,
		"13312345678": contact.ChinaTelecom, "18912345678": contact.ChinaTelecom, "19912345678": contact.ChinaTelecom,
		"19212345678":  contact.ChinaBroadnet,
		"17012345678":  contact.UnknownCarrier, // shared by all
		"16512345678":  contact.UnknownCarrier,
		"+85251234567": contact.UnknownCarrier, "+33612345678": contact.UnknownCarrier,
	} {
		m, err := contact.ParseMobile(number)
		if err != nil {
			t.Fatal(number, err)
		}
		if got := m.Carrier(); got != want {
			t.Errorf("%s belongs to %q, want %q", number, got, want)
		}
		if got := contact.CarrierOf(m.String()); got != want {
			t.Errorf("masked, %s belongs to %q, want %q", m, got, want)
		}
		if !slices.Contains(contact.Carriers(), want) {
			t.Errorf("%q is missing among the carriers", want)
		}
	}
	for _, text := range []string{"", "1", "138", "138****80001"} {
		if got := contact.CarrierOf(text); got != contact.UnknownCarrier {
			t.Errorf("%q belongs to %q", text, got)
		}
	}
}
