package limits

import "time"

// The limits. What each is spent on stands first in its comment, then why it exists. An IPv6 address
// counts by its /64, a network is a /24 or a /48; see [Network]. A limit by address has a companion by network, which
// hosts rented in blocks do not evade, and mostly one of everybody, which bounds botnets; see [Name.Net] and [Name.All].
const (
	// SMSMobileHour counts the codes sent to one number. Aliyun refuses the sixth in an hour itself, but
	// only after it was asked, and a second provider counts for itself: fail-over would evade it.
	SMSMobileHour Name = "sms_mobile_hour"
	// SMSMobileDay counts the codes sent to one number in rolling 24 hours, which is how Aliyun counts a day.
	SMSMobileDay Name = "sms_mobile_day"
	// SMSUnknownHour counts those of the codes sent to one number that were asked for from networks that its account
	// was not signed in from: the rest of [SMSMobileHour] is kept for its owner.
	SMSUnknownHour Name = "sms_unknown_hour"
	// SMSUnknownDay counts the same in a day, beside [SMSMobileDay].
	SMSUnknownDay Name = "sms_unknown_day"
	// SMSStrangerHour counts those of [SMSUnknownHour] that were asked for without a captcha of the high price: the rest
	// is kept for an owner on a new network, who can pay it.
	SMSStrangerHour Name = "sms_stranger_hour"
	// SMSStrangerDay counts the same in a day, beside [SMSUnknownDay].
	SMSStrangerDay Name = "sms_stranger_day"
	// SMSIPHour counts the codes asked for by one address: nobody needs more than a few numbers.
	SMSIPHour Name = "sms_ip_hour"
	// SMSIPDay counts the codes asked for by one address in a day, for those who stay below the hour's limit.
	SMSIPDay Name = "sms_ip_day"
	// SMSPrefix counts the codes sent to numbers with the same seven first digits, where SMS pumping for
	// a share of the carrier's fee shows first.
	SMSPrefix Name = "sms_prefix"
	// SMSTotal counts all codes of an hour, so that a day's budget cannot be spent in minutes. It has one subject
	// for everybody and follows the budget, see [Set.WithBudget].
	SMSTotal Name = "sms_total"
	// SMSBudgetDay counts all codes in a day as the money that they cost; see [Set.WithBudget].
	SMSBudgetDay Name = "sms_budget_day"
	// SMSBudgetUnknown counts the codes in a day that are asked for from networks which the number's owner has not
	// signed in from: strangers cannot spend the whole budget.
	SMSBudgetUnknown Name = "sms_budget_unknown"
	// SMSConversion guards numbers with the same seven first digits. People enter the codes they ask for;
	// machines that pump SMS for a share of the fee do not. It is the one guard.
	SMSConversion Name = "sms_conversion"

	// CheckIP counts the codes and captcha answers tried by one address: guessing goes from number to number.
	CheckIP Name = "check_ip"

	// CodeWrongAll counts the guesses at codes that come after the first of their code and are wrong, of all accounts in a
	// day. It bounds how often a machine that guesses at many codes is lucky; see [Set.WithCodeLength]. Where nothing is
	// left of it, each code has its first guess alone. It has one subject for everybody.
	CodeWrongAll Name = "code_wrong_all"

	// CaptchaIP counts the captchas drawn for one address: each costs milliseconds of a core.
	CaptchaIP Name = "captcha_ip"
	// CaptchaAudioIP counts the recordings that one address asks for in place of pictures: people who cannot see them
	// need a few, and machines understand speech better than they read.
	CaptchaAudioIP Name = "captcha_audio_ip"
	// LookupIP counts the look-ups of user names and numbers by one address: they tell who has an account.
	LookupIP Name = "lookup_ip"
	// StatusIP counts the questions for the state of a code by one address. A waiting page asks every few seconds.
	StatusIP Name = "status_ip"
	// RegisterIP counts the registrations tried by one address.
	RegisterIP Name = "register_ip"
	// LoginIP counts the sign-ins tried by one address: stuffing goes from account to account.
	LoginIP Name = "login_ip"
	// LoginName counts the wrong passwords for one login name before a captcha is demanded.
	LoginName Name = "login_name"
	// LoginAddr counts the wrong passwords from one address before a captcha is demanded: stuffing tries
	// each name only once or twice.
	LoginAddr Name = "login_addr"
	// LoginNameNet counts the wrong passwords for one login name from one network, captcha or not.
	LoginNameNet Name = "login_name_net"
	// LoginNameAll counts the wrong passwords for one login name from all networks that its owner has not
	// signed in from lately: guessing goes through many addresses, and may not lock the owner out.
	LoginNameAll Name = "login_name_all"
	// ChangeAccount counts the current passwords that somebody signed in gives to change the account: a
	// session in the wrong hands must not become a way to guess the password.
	ChangeAccount Name = "change_account"
	// ResetIP counts the password resets tried by one address: a hash is computed for each.
	ResetIP Name = "reset_ip"
	// UndoIP counts the undoings of changes tried by one address: a hash is computed for each right link or code.
	UndoIP Name = "undo_ip"
	// ChangesDay counts the changes that one account makes in a day and the activation mails that it asks for again: each
	// change is remembered for days, and all send mails.
	ChangesDay Name = "changes_day"
	// MailDomainHour counts the activation mails to addresses of one domain, but for large public providers: a stranger
	// must not flood the mail server of a company, where each address is another mailbox.
	MailDomainHour Name = "mail_domain_hour"
	// MailTotalHour counts all activation mails. It has one subject for everybody.
	MailTotalHour Name = "mail_total_hour"
	// ActivateIP counts the activations tried and declined by one address: each asks the database.
	ActivateIP Name = "activate_ip"
	// ResendPause counts the activation mails asked for again to one mailbox: one a minute.
	ResendPause Name = "resend_pause"
	// ResendEmail counts the activation mails to one mailbox in a day, whatever caused them; and, apart from these, what
	// strangers ask for in a day.
	ResendEmail Name = "resend_email"
	// ResendIP counts the activation mails asked for by one address, for whoever has a list of victims.
	ResendIP Name = "resend_ip"
)

// defaults lists every limit: those by address with their companions, and the others.
func defaults() []Limit {
	const day = 24 * time.Hour
	list := []Limit{
		{Name: SMSMobileHour, Count: 5, Period: time.Hour},
		{Name: SMSMobileDay, Count: 10, Period: day},
		{Name: SMSUnknownHour, Count: 4, Period: time.Hour},
		{Name: SMSUnknownDay, Count: 8, Period: day},
		{Name: SMSStrangerHour, Count: 3, Period: time.Hour},
		{Name: SMSStrangerDay, Count: 6, Period: day},
		{Name: SMSPrefix, Count: 20, Period: 10 * time.Minute},
		{Name: SMSTotal, Count: 100_000, Period: time.Hour},
		{Name: SMSBudgetDay, Count: 0, Period: day},
		{Name: SMSBudgetUnknown, Count: 0, Period: day},
		{Name: SMSConversion, Count: 15, Period: 10 * time.Minute, Percent: 30, History: day},
		{Name: CodeWrongAll, Count: luckyADay(6) / 2, Period: day},
		{Name: LoginName, Count: 3, Period: 15 * time.Minute},
		{Name: LoginNameNet, Count: 10, Period: 15 * time.Minute},
		{Name: LoginNameAll, Count: 30, Period: 15 * time.Minute},
		{Name: ChangeAccount, Count: 10, Period: 15 * time.Minute},
		{Name: ChangesDay, Count: 20, Period: day},
		{Name: ResendPause, Count: 1, Period: time.Minute},
		{Name: ResendEmail, Count: 5, Period: day},
		{Name: MailDomainHour, Count: 500, Period: time.Hour},
		{Name: MailTotalHour, Count: 30_000, Period: time.Hour},
	}
	for _, limit := range byAddress() {
		list = append(list, limit.with()...)
	}
	return list
}
