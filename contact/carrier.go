package contact

import "strings"

// Carrier is the mobile network that a mainland number was given out by. The empty one stands for numbers of which the prefix does
// not tell it: those of virtual operators, and all abroad.
type Carrier string

// The carriers of the mainland.
const (
	ChinaMobile    Carrier = "mobile"
	ChinaUnicom    Carrier = "unicom"
	ChinaTelecom   Carrier = "telecom"
	ChinaBroadnet  Carrier = "broadnet"
	UnknownCarrier Carrier = ""
)

// Carriers returns all carriers, and the unknown one first.
func Carriers() []Carrier {
	return []Carrier{UnknownCarrier, ChinaMobile, ChinaUnicom, ChinaTelecom, ChinaBroadnet}
}

// carrierPrefixes are the first three digits of each carrier's numbers, as in the carrier data of libphonenumber (metadata 9.0.37),
// resources/carrier/en/86.txt. A prefix that carriers share (170) and those without an entry (162, 165) are left out. The library's own
// package would load the carriers of all countries for these lines.
var carrierPrefixes = map[Carrier]string{
	ChinaMobile:   "134 135 136 137 138 139 147 150 151 152 157 158 159 172 178 182 183 184 187 188 195 197 198",
	ChinaUnicom:   "130 131 132 145 155 156 166 167 171 175 176 185 186 196",
	ChinaTelecom:  "133 153 173 174 177 180 181 189 190 191 193 199",
	ChinaBroadnet: "161 192",
}

var carrierOf = byPrefix()

func byPrefix() map[string]Carrier {
	prefixes := map[string]Carrier{}
	for carrier, list := range carrierPrefixes {
		for prefix := range strings.FieldsSeq(list) {
			prefixes[prefix] = carrier
		}
	}
	return prefixes
}

// carrierDigits is the length of the prefixes.
const carrierDigits = 3

// Carrier returns the carrier that the number's prefix belongs to. It is a guess, because people keep their numbers when they change
// the carrier: it may decide between providers of equal use and must not refuse a number.
func (m Mobile) Carrier() Carrier { return CarrierOf(m.full) }

// CarrierOf is [Mobile.Carrier] for a number in its canonical or its masked form, which both show the prefix.
func CarrierOf(number string) Carrier {
	if len(number) != mobileDigits { // the plus sign of numbers abroad stands in no prefix
		return UnknownCarrier
	}
	return carrierOf[number[:carrierDigits]]
}
