package accounts

import (
	"usher/contact"
)

// SignUp is a request to register as it was received: nothing in it has been looked at.
type SignUp struct {
	Username       string
	Password       string
	PasswordRepeat string
	Agree          bool
	Mobile         string
	SMSCodeID      string
	SMSCode        string
	Email          string
	Origin
}

// applicant is a sign-up in which everything is valid.
type applicant struct {
	username username
	password string
	mobile   contact.Mobile
	code     smsCode
	email    contact.Email
	origin   Origin
}

// smsCode is a code as it was entered, and the id of the code that it should be.
type smsCode struct{ id, digits string }

// newSMSCode notes in errs what is wrong with a code.
func newSMSCode(id, digits string, errs FieldErrors) smsCode {
	if id == "" {
		errs[FieldSMSCodeID] = Missing
	}
	if digits == "" {
		errs[FieldSMSCode] = Missing
	}
	return smsCode{id, digits}
}

// parse returns everything that is wrong at once: people should not have to fix one field after the
// other.
func (r SignUp) parse(registration Registration) (applicant, error) {
	errs := FieldErrors{}
	a := applicant{origin: r.Origin}
	if !r.Agree {
		errs[FieldAgree] = MustBeAgreed
	}
	var problem Problem
	if a.username, problem = parseUsername(r.Username); problem != "" {
		errs[FieldUsername] = problem
	}
	r.parseContacts(&a, errs)
	r.demand(registration, errs)
	a.password = newPassword(r.Password, r.PasswordRepeat, errs,
		a.username.canonical, a.mobile.Reveal(), a.email.Reveal())
	if len(errs) > 0 {
		return applicant{}, errs
	}
	return a, nil
}

func (r SignUp) parseContacts(a *applicant, errs FieldErrors) {
	if r.Mobile == "" && r.SMSCode != "" { // the caller asks for no captcha where a code is given
		errs[FieldMobile] = Missing
	}
	if r.Mobile != "" {
		mobile, err := contact.ParseMobile(r.Mobile)
		if err != nil {
			errs[FieldMobile] = Malformed
		}
		a.mobile = mobile
		a.code = newSMSCode(r.SMSCodeID, r.SMSCode, errs)
	}
	if r.Email != "" {
		email, err := contact.ParseEmail(r.Email)
		if err != nil {
			errs[FieldEmail] = Malformed
		}
		a.email = email
	}
}

// demand refuses a sign-up that lacks what this kind of registration proves.
func (r SignUp) demand(registration Registration, errs FieldErrors) {
	neither := r.Mobile == "" && r.Email == "" // wrong whatever the kind
	if r.Mobile == "" && (neither && registration != EmailOnly || registration == MobileOnly || registration == Both) {
		errs[FieldMobile] = Missing
		if registration == MobileOnly || registration == Both {
			newSMSCode(r.SMSCodeID, r.SMSCode, errs)
		}
	}
	if r.Email == "" && (neither && registration != MobileOnly || registration == EmailOnly || registration == Both) {
		errs[FieldEmail] = Missing
	}
}
