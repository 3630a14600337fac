package limits

import "time"

// The limits. Each comment says what is counted, then why. An IPv6 address counts by its /64, and a network is a /24 or a /48; see
// [Network]. A limit by address has a companion by network, which hosts rented in blocks cannot evade, and mostly a total, which
// bounds botnets; see [Name.Net] and [Name.All].
const (
	// SMSMobileHour counts the codes sent to one number. Aliyun itself refuses the sixth in an hour, but only after a
	// request, and a second provider has a count of its own, which fail-over would evade.
	SMSMobileHour Name = "sms_mobile_hour"
	// SMSMobileDay counts the codes sent to one number in rolling 24 hours, which is how Aliyun counts a day.
	SMSMobileDay Name = "sms_mobile_day"
	// SMSUnknownHour counts the codes sent to one number that were requested from networks that its account was not signed
	// in from: the rest of [SMSMobileHour] is reserved for the owner.
	SMSUnknownHour Name = "sms_unknown_hour"
	// SMSUnknownDay counts the same in a day, beside [SMSMobileDay].
	SMSUnknownDay Name = "sms_unknown_day"
	// SMSStrangerHour counts those codes of [SMSUnknownHour] that were requested without a captcha of the high price: the
	// rest is reserved for an owner on a new network, who can solve one.
	SMSStrangerHour Name = "sms_stranger_hour"
	// SMSStrangerDay counts the same in a day, beside [SMSUnknownDay].
	SMSStrangerDay Name = "sms_stranger_day"
	// SMSIPHour counts the codes requested by one address: a person needs codes for a few numbers only.
	SMSIPHour Name = "sms_ip_hour"
	// SMSIPDay counts the codes requested by one address in a day, for clients that stay below [SMSIPHour].
	SMSIPDay Name = "sms_ip_day"
	// SMSPrefix counts the codes sent to numbers that differ in their last four digits only, where SMS pumping for a share of
	// the carrier's fee is visible first.
	SMSPrefix Name = "sms_prefix"
	// SMSTotal counts all codes in an hour, each as [SMSBudgetDay] counts it, so that the budget of a day cannot be spent in
	// minutes. It follows the budget, see [Set.WithBudget].
	SMSTotal Name = "sms_total"
	// SMSBudgetDay counts all codes in a day, so that their cost stays within the budget; see [Set.WithBudget]. A code that is
	// more expensive than the cheapest one costs as many units as the cheapest one fits into its price, rounded up.
	SMSBudgetDay Name = "sms_budget_day"
	// SMSBudgetUnknown counts the codes in a day that are requested from networks that the number's owner has not signed in
	// from: strangers cannot spend the whole budget.
	SMSBudgetUnknown Name = "sms_budget_unknown"
	// SMSConversion guards numbers that differ in their last four digits only. People enter the codes that they request;
	// programs that pump SMS for a share of the fee do not. It is the only guard.
	SMSConversion Name = "sms_conversion"

	// EmailCodeHour counts the codes sent to one mailbox, in every spelling: a mailbox must not be flooded.
	EmailCodeHour Name = "email_code_hour"
	// EmailCodeDay counts the same in a day.
	EmailCodeDay Name = "email_code_day"
	// EmailCodeUnknownHour counts those codes of [EmailCodeHour] that were requested from networks that the account of the address
	// was not signed in from: the rest is reserved for the owner.
	EmailCodeUnknownHour Name = "email_code_unknown_hour"
	// EmailCodeUnknownDay counts the same in a day, beside [EmailCodeDay].
	EmailCodeUnknownDay Name = "email_code_unknown_day"
	// EmailCodeStrangerHour counts those codes of [EmailCodeUnknownHour] that were requested without a captcha of the high price:
	// the rest is reserved for an owner on a new network, who can solve one.
	EmailCodeStrangerHour Name = "email_code_stranger_hour"
	// EmailCodeStrangerDay counts the same in a day, beside [EmailCodeUnknownDay].
	EmailCodeStrangerDay Name = "email_code_stranger_day"
	// EmailCodeIP counts the codes by mail requested by one address, which may have a list of victims. Its total bounds the
	// first guesses at codes: no budget does.
	EmailCodeIP Name = "email_code_ip"

	// AppRate counts the requests of one app in a minute. A count of the app's own goes first.
	AppRate Name = "app_rate"
	// AppBudgetDay counts the codes by SMS of one app in a day as [SMSBudgetDay] does. A budget of the app's own goes first; see
	// [Set.ForApp].
	AppBudgetDay Name = "app_budget_day"
	// AppKeyIP counts the keys from one address that had to be looked up and were wrong: each look-up asks the database. It has no total, with which
	// strangers could stop all apps.
	AppKeyIP Name = "app_key_ip"

	// CheckIP counts the guesses at codes and captchas from one address, which may be spread over many numbers.
	CheckIP Name = "check_ip"

	// CodeWrongAll counts the wrong guesses after the first guess at each code, of all accounts in a day. It bounds how often
	// a program that guesses at many codes is right; see [Set.WithCodeLength]. When no unit is left, each code has its first
	// guess only.
	CodeWrongAll Name = "code_wrong_all"

	// CaptchaIP counts the captchas drawn for one address: each takes milliseconds of processor time.
	CaptchaIP Name = "captcha_ip"
	// CaptchaAudioIP counts the recordings that one address requests instead of pictures: people who cannot see need a few,
	// and programs understand speech better than distorted text.
	CaptchaAudioIP Name = "captcha_audio_ip"
	// LookupIP counts the look-ups of user names and numbers by one address: they reveal which of them have an account.
	LookupIP Name = "lookup_ip"
	// StatusIP counts the requests for the state of a code by one address. A waiting page sends one every few seconds.
	StatusIP Name = "status_ip"
	// RegisterIP counts the registrations tried by one address.
	RegisterIP Name = "register_ip"
	// LoginIP counts the sign-ins tried by one address: credential stuffing tries many accounts.
	LoginIP Name = "login_ip"
	// LoginName counts the wrong passwords for one login name, after which a captcha is required.
	LoginName Name = "login_name"
	// LoginAddr counts the wrong passwords from one address, after which a captcha is required: credential stuffing tries
	// each name only once or twice.
	LoginAddr Name = "login_addr"
	// LoginNameNet counts the wrong passwords for one login name from one network, with or without a captcha.
	LoginNameNet Name = "login_name_net"
	// LoginNameAll counts the wrong passwords for one login name from all networks that its owner has not signed in from
	// lately: guesses may come from many addresses, and must not lock out the owner.
	LoginNameAll Name = "login_name_all"
	// ChangeAccount counts the current passwords entered in a session to change the account: a stolen session must not
	// become a way to guess the password.
	ChangeAccount Name = "change_account"
	// ResetIP counts the password resets tried by one address: each computes a hash.
	ResetIP Name = "reset_ip"
	// UndoIP counts the undo requests of one address: each correct link or code computes a hash.
	UndoIP Name = "undo_ip"
	// TokenAccount counts the tokens for other services that an account's sessions ask for: each is a signature. A page needs a
	// new one every few minutes.
	TokenAccount Name = "token_account"
	// ChangesDay counts the changes of one account in a day and the activation mails that it requests again: each change is
	// kept for days, and all of them send mails.
	ChangesDay Name = "changes_day"
	// MailDomainHour counts the activation mails and codes to addresses of one domain, except for large public providers: a stranger must
	// not flood the mail server of a company.
	MailDomainHour Name = "mail_domain_hour"
	// MailTotalHour counts all activation mails.
	MailTotalHour Name = "mail_total_hour"
	// ActivateIP counts the activations tried and declined by one address: each queries the database.
	ActivateIP Name = "activate_ip"
	// ResendPause counts the activation mails requested again for one mailbox: one a minute.
	ResendPause Name = "resend_pause"
	// ResendEmail counts all activation mails to one mailbox in a day and, separately, those that strangers request.
	ResendEmail Name = "resend_email"
	// ResendIP counts the activation mails requested by one address, which may have a list of victims.
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
		{Name: EmailCodeHour, Count: 5, Period: time.Hour},
		{Name: EmailCodeDay, Count: 10, Period: day},
		{Name: EmailCodeUnknownHour, Count: 4, Period: time.Hour},
		{Name: EmailCodeUnknownDay, Count: 8, Period: day},
		{Name: EmailCodeStrangerHour, Count: 3, Period: time.Hour},
		{Name: EmailCodeStrangerDay, Count: 6, Period: day},
		{Name: AppRate, Count: 600, Period: time.Minute},
		{Name: AppBudgetDay, Count: 0, Period: day},
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
		{Name: TokenAccount, Count: 300, Period: 5 * time.Minute},
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
