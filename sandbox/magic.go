package sandbox

import "strings"

// A magicNumber is an ending of phone numbers that forces an outcome at both SMS vendors. Six digits,
// so that random numbers of a load test hardly ever hit one.
type magicNumber struct {
	Ending   string
	Outcome  string
	Aliyun   string // refusing code, or empty
	Ronglian string // refusing code, or empty
	Fate     fate   // of an accepted message
	Reset    bool   // kept, but the answer is lost
}

func magicNumbers() []magicNumber {
	return []magicNumber{
		{Ending: "990001", Outcome: "accepted, then reported as undelivered", Fate: fateUndelivered},
		{Ending: "990002", Outcome: "accepted, and no report ever comes", Fate: fateSilent},
		{Ending: "990003", Outcome: "accepted, but the connection closes without an answer", Reset: true},
		{
			Ending: "990004", Outcome: "refused: temporary fault of the vendor",
			Aliyun: "isp.SYSTEM_ERROR", Ronglian: "160000",
		},
		{
			Ending: "990005", Outcome: "refused: the number is on a blacklist",
			Aliyun: "isv.BLACK_KEY_CONTROL_LIMIT", Ronglian: "112317",
		},
		{
			Ending: "990006", Outcome: "refused: daily limit of this number",
			Aliyun: "isv.BUSINESS_LIMIT_CONTROL", Ronglian: "160040",
		},
		{
			Ending: "990007", Outcome: "refused: the account's balance is too low",
			Aliyun: "isv.AMOUNT_NOT_ENOUGH", Ronglian: "111142",
		},
		{
			Ending: "990008", Outcome: "refused: not a number that can get messages",
			Aliyun: "isv.MOBILE_NUMBER_ILLEGAL", Ronglian: "160042",
		},
	}
}

// magicFor returns the magic of a number, or the zero value: accepted and delivered.
func magicFor(number string) magicNumber {
	if len(number) < 6 || !strings.HasPrefix(number[len(number)-6:], "99000") {
		return magicNumber{}
	}
	for _, m := range magicNumbers() {
		if strings.HasSuffix(number, m.Ending) {
			return m
		}
	}
	return magicNumber{}
}

// A magicMailbox is an ending of the local part of a mail address that forces an outcome.
type magicMailbox struct {
	Ending  string
	Outcome string
	Code    int    // refusing reply, or 0
	Message string // of the refusal
	AtData  bool   // the refusal comes after the message instead of at RCPT
	Reset   bool   // kept, but the connection closes without the reply
}

func magicMailboxes() []magicMailbox {
	return []magicMailbox{
		{Ending: "+450", Outcome: "450 at RCPT: busy for now", Code: 450, Message: "Mailbox busy"},
		{Ending: "+550", Outcome: "550 at RCPT: no such mailbox", Code: 550, Message: "User not found"},
		{
			Ending: "+451", Outcome: "451 after the message: local error", Code: 451, AtData: true,
			Message: "Local error in processing",
		},
		{
			Ending: "+554", Outcome: "554 after the message: taken for spam", Code: 554, AtData: true,
			Message: "DT:SPM",
		},
		{Ending: "+reset", Outcome: "kept, but the connection closes without the reply", Reset: true},
	}
}

// magicForMailbox returns the magic of an address, or the zero value.
func magicForMailbox(address string) magicMailbox {
	local, _, _ := strings.Cut(address, "@")
	for _, m := range magicMailboxes() {
		if strings.HasSuffix(local, m.Ending) {
			return m
		}
	}
	return magicMailbox{}
}
