package limits

import "time"

// The limits. What each is spent on stands first in its comment, then why it exists. An IPv6 address
// counts by its /64, a network is a /24 or a /48; see [Network].
const (
	// SMSMobileHour counts the codes sent to one number. Aliyun refuses the sixth in an hour itself, but
	// only after it was asked, and a second provider counts for itself: fail-over would evade it.
	SMSMobileHour Name = "sms_mobile_hour"
	// SMSMobileDay counts the codes sent to one number in rolling 24 hours, which is how Aliyun counts a day.
	SMSMobileDay Name = "sms_mobile_day"
	// SMSIPHour counts the codes asked for by one address: nobody needs more than a few numbers.
	SMSIPHour Name = "sms_ip_hour"
	// SMSIPDay counts the codes asked for by one address in a day, for those who stay below the hour's limit.
	SMSIPDay Name = "sms_ip_day"
	// SMSNetHour counts the codes asked for by one network: hosts rented for bombing come in blocks.
	SMSNetHour Name = "sms_net_hour"
	// SMSPrefix counts the codes sent to numbers with the same seven first digits, where SMS pumping for
	// a share of the carrier's fee shows first.
	SMSPrefix Name = "sms_prefix"
	// SMSTotal counts all codes: the last line before the bill. It has one subject for everybody.
	SMSTotal Name = "sms_total"

	// CheckIP counts the codes and captcha answers tried by one address: guessing goes from number to number.
	CheckIP Name = "check_ip"
	// CheckMobileHour counts the codes tried for one number over all its codes: every new code allows
	// new guesses.
	CheckMobileHour Name = "check_mobile_hour"
	// CheckMobileDay counts the codes tried for one number in a day.
	CheckMobileDay Name = "check_mobile_day"

	// CaptchaIP counts the captchas drawn for one address: each costs milliseconds of a core.
	CaptchaIP Name = "captcha_ip"
	// LookupIP counts the look-ups of user names and numbers by one address: they tell who has an account.
	LookupIP Name = "lookup_ip"
	// StatusIP counts the questions for the state of a code by one address. A waiting page asks every few seconds.
	StatusIP Name = "status_ip"
	// RegisterIP counts the registrations tried by one address.
	RegisterIP Name = "register_ip"
	// LoginIP counts the sign-ins tried by one address: stuffing goes from account to account.
	LoginIP Name = "login_ip"
	// LoginName counts the passwords tried for one login name before a captcha is demanded.
	LoginName Name = "login_name"
	// ResetIP counts the password resets tried by one address: a hash is computed for each.
	ResetIP Name = "reset_ip"
	// ActivateIP counts the activations tried by one address: each asks the database.
	ActivateIP Name = "activate_ip"
	// ResendPause counts the activation mails asked for by one email address: one a minute.
	ResendPause Name = "resend_pause"
	// ResendEmail counts the activation mails asked for by one email address in a day.
	ResendEmail Name = "resend_email"
	// ResendIP counts the activation mails asked for by one address, for whoever has a list of victims.
	ResendIP Name = "resend_ip"
)

// defaults lists every limit. Many people of one company or one mobile network share an IPv4 address:
// what costs no SMS is allowed more generously.
func defaults() []Limit {
	const day = 24 * time.Hour
	return []Limit{
		{SMSMobileHour, 5, time.Hour},
		{SMSMobileDay, 10, day},
		{SMSIPHour, 10, time.Hour},
		{SMSIPDay, 50, day},
		{SMSNetHour, 50, time.Hour},
		{SMSPrefix, 20, 10 * time.Minute},
		{SMSTotal, 100_000, time.Hour},
		{CheckIP, 30, 5 * time.Minute},
		{CheckMobileHour, 15, time.Hour},
		{CheckMobileDay, 50, day},
		{CaptchaIP, 60, 10 * time.Minute},
		{LookupIP, 60, 5 * time.Minute},
		{StatusIP, 300, 5 * time.Minute},
		{RegisterIP, 20, time.Hour},
		{LoginIP, 60, 10 * time.Minute},
		{LoginName, 3, 15 * time.Minute},
		{ResetIP, 20, time.Hour},
		{ActivateIP, 60, 10 * time.Minute},
		{ResendPause, 1, time.Minute},
		{ResendEmail, 5, day},
		{ResendIP, 20, time.Hour},
	}
}
