package ronglian

import (
	"strconv"

	"usher/providers"
)

// span is a range of status codes, both ends included, with one kind.
type span struct {
	first, last int
	kind        providers.Kind
}

// spans says what each status code means for the message, sorted. No official list is complete; meanings
// come from the console's documents and from public clients that agree with one another.
var spans = []span{
	{111000, 111000, providers.Temporary},     // unknown error of the platform, refused
	{111001, 111099, providers.Temporary},     // internal errors of the platform
	{111100, 111110, providers.Misconfigured}, // address, Authorization, timestamp (06) or sig (09) wrong
	{111111, 111112, providers.Temporary},     // too many concurrent requests
	{111113, 111113, providers.Misconfigured}, // timestamp has a wrong form
	{111114, 111114, providers.Temporary},     // too many concurrent requests
	{111115, 111115, providers.Misconfigured}, // client address not in the white list
	{111116, 111116, providers.Temporary},     // calls too close together
	{111128, 111137, providers.Misconfigured}, // account id, token or name has a wrong form
	{111138, 111143, providers.Misconfigured}, // account closed, unknown (41), without balance (42), bad token (43)
	{111169, 111182, providers.Misconfigured}, // application empty, deleted, paused, in review, not of this account
	{111188, 111188, providers.Misconfigured}, // application not online
	{111212, 111212, providers.Misconfigured}, // application not online
	{112300, 112300, providers.Rejected},      // number empty
	{112301, 112301, providers.Rejected},      // content empty
	{112302, 112303, providers.Misconfigured}, // bulk SMS paused; application has no SMS
	{112304, 112304, providers.Rejected},      // encoding
	{112305, 112305, providers.Misconfigured}, // test template: bound numbers only
	{112306, 112306, providers.Rejected},      // number empty
	{112307, 112307, providers.Misconfigured}, // template id empty
	{112308, 112309, providers.Rejected},      // data empty; illegal characters
	{112310, 112311, providers.Misconfigured}, // application not online; template and data do not match
	{112312, 112313, providers.Misconfigured}, // extension number not configured; template unknown
	{112314, 112314, providers.RateLimited},   // limit of the day
	{112315, 112315, providers.Misconfigured}, // template not approved
	{112316, 112317, providers.Rejected},      // number has a wrong form; on a blacklist
	{112318, 112318, providers.Misconfigured}, // template id is no number
	{112319, 112319, providers.Rejected},      // number too long
	{112320, 112321, providers.Misconfigured}, // extension number or callback not configured
	{112323, 112323, providers.Misconfigured}, // template and application do not belong together
	{112326, 112326, providers.Unknown},       // "send failed"
	{112327, 112328, providers.Rejected},      // illegal characters
	{112354, 112354, providers.Temporary},     // too many concurrent queries
	{112600, 112616, providers.Rejected},      // parameters or body not readable
	{113302, 113302, providers.Misconfigured}, // application not online: bound numbers only
	{121001, 121003, providers.Misconfigured}, // billing: no balance
	{160000, 160010, providers.Temporary},     // system error; channel busy
	{160011, 160011, providers.Rejected},      // forbidden word
	{160012, 160012, providers.Misconfigured}, // channel has no right
	{160013, 160013, providers.Rejected},      // number not supported
	{160014, 160014, providers.Misconfigured}, // balance of the channel
	{160015, 160015, providers.RateLimited},   // limit of the number
	{160016, 160016, providers.Temporary},     // channel too fast
	{160017, 160017, providers.Rejected},      // too many numbers
	{160018, 160018, providers.Rejected},      // forbidden word
	{160019, 160019, providers.Misconfigured}, // channel address check
	{160020, 160020, providers.Rejected},      // content too long
	{160021, 160022, providers.RateLimited},   // same content to the same number; number's limit of the day
	{160030, 160031, providers.Rejected},      // parameters not readable
	{160032, 160032, providers.Misconfigured}, // template invalid
	{160033, 160035, providers.Rejected},      // forbidden word; blacklist; parameters not readable
	{160037, 160037, providers.Rejected},      // length of the content
	{160038, 160041, providers.RateLimited},   // codes too frequent (38); template and number over the day's limit
	{160042, 160042, providers.Rejected},      // number has a wrong form
	{160043, 160043, providers.Misconfigured}, // template not of this account
	{160044, 160045, providers.Rejected},      // number empty; numbers repeated
	{160046, 160046, providers.Misconfigured}, // marketing approval
	{160047, 160047, providers.Temporary},     // busy
	{160048, 160049, providers.Rejected},      // more than 200 numbers; forbidden word
	{160050, 160050, providers.Unknown},       // "send failed"
	{160051, 160051, providers.Misconfigured}, // opt-out text missing
	{160052, 160052, providers.Rejected},      // variable has a wrong form
	{160053, 160053, providers.Misconfigured}, // sign name invalid
	{160054, 160054, providers.Unknown},       // reqId used before: on a first attempt, a fault in making ids
	{160055, 160055, providers.Rejected},      // reqId too long
	{160056, 160056, providers.RateLimited},   // same number and same content again
	{160057, 160059, providers.Misconfigured}, // template and application; sending abroad not allowed
	{160061, 160062, providers.Misconfigured}, // country not opened
	{160063, 160064, providers.Unknown},       // "send failed"
	{160065, 160065, providers.Misconfigured}, // extension number not configured
	{160066, 160067, providers.Temporary},     // busy
	{160068, 160068, providers.Rejected},      // number on a blacklist
	{160069, 160069, providers.Misconfigured}, // test template takes digits only
	{160071, 160071, providers.Misconfigured}, // outside the hours of the template's type
	{160072, 160074, providers.Rejected},      // number on a blacklist or opted out
	{161000, 161001, providers.Temporary},     // channel or database
	{161002, 161003, providers.Misconfigured}, // balance of the channel
	{161004, 161006, providers.Temporary},     // channel or database
	{161007, 161007, providers.Rejected},      // forbidden word
	{161008, 161012, providers.Temporary},     // channel or database
	{161020, 161024, providers.Unknown},       // time-out between their servers
	{161100, 161108, providers.Misconfigured}, // rights of the channel, sign name, address check
	{172001, 172001, providers.Unknown},       // network error, made by gateways built on the vendor's SDKs
	{172003, 172003, providers.Unknown},       // answer not understood, the same
}

// kindOf returns the kind of a status code other than success, and Unknown for a code that is not listed:
// only a known meaning says that the message was not sent.
func kindOf(code string) providers.Kind {
	if len(code) != len(accepted) {
		return providers.Unknown
	}
	number, err := strconv.Atoi(code)
	if err != nil {
		return providers.Unknown
	}
	for _, s := range spans {
		if number >= s.first && number <= s.last {
			return s.kind
		}
	}
	return providers.Unknown
}
