package accounts

import (
	"context"
	"errors"
	"slices"
	"time"

	"usher/contact"
	"usher/passwords"
	"usher/verify"
)

// SignUp is a request to register as it was received, without any check.
type SignUp struct {
	Username       string `json:"username"`
	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
	Agree          bool   `json:"agree"`
	Mobile         string `json:"mobile"`
	SMSCodeID      string `json:"sms_code_id"`
	SMSCode        string `json:"sms_code"`
	Email          string `json:"email"`
	EmailCodeID    string `json:"email_code_id"`
	EmailCode      string `json:"email_code"`
	Origin         `json:"-"`
}

// applicant is a sign-up in which everything is valid.
type applicant struct {
	username username
	password string
	mobile   contact.Mobile
	email    contact.Email
	proofs   []proof // of the number, and of the address unless its link shall prove it
	origin   Origin
}

// proof is a contact with the code that proves it.
type proof struct {
	to    verify.Recipient
	by    By // finds the account of the contact
	field Field
	code  sentCode
}

// provesEmail reports whether a code proves the address.
func (a applicant) provesEmail() bool {
	return slices.ContainsFunc(a.proofs, func(p proof) bool { return p.by == ByEmail })
}

// ByCode reports whether a code comes with the request, so that no captcha is needed.
func (r SignUp) ByCode() bool { return r.Mobile != "" || r.SMSCode != "" || r.hasEmailCode() }

// SendsLink reports whether the address of the request waits for the proof by its link.
func (r SignUp) SendsLink() bool { return r.Email != "" && !r.hasEmailCode() }

func (r SignUp) hasEmailCode() bool { return r.EmailCode != "" || r.EmailCodeID != "" }

// parse returns all mistakes at once: people should not have to correct one field after the other.
func (r SignUp) parse(policy Policy) (applicant, error) {
	errs := FieldErrors{}
	a := applicant{origin: r.Origin}
	if !r.Agree {
		errs[FieldAgree] = MustBeAgreed
	}
	var problem Problem
	if a.username, problem = parseUsername(r.Username); problem != "" && (problem != Missing || policy.Asked.Username) {
		errs[FieldUsername] = problem
	}
	r.parseContacts(&a, policy.Regions, errs)
	r.demand(policy.Registration, errs)
	if policy.Asked.Password || r.Password != "" || r.PasswordRepeat != "" {
		a.password = policy.newPassword(r.Password, r.PasswordRepeat, errs,
			a.username.canonical, a.mobile.Reveal(), a.email.Reveal())
	} else if r.SendsLink() && !r.ByCode() {
		newCode(a.email, r.EmailCodeID, r.EmailCode, errs)
	}
	if len(errs) > 0 {
		return applicant{}, errs
	}
	return a, nil
}

func (r SignUp) parseContacts(a *applicant, regions contact.Regions, errs FieldErrors) {
	if r.Mobile == "" && r.SMSCode != "" { // the caller asks for no captcha where a code is given
		errs[FieldMobile] = Missing
	}
	if r.Mobile != "" {
		mobile, err := regions.Parse(r.Mobile)
		if err != nil {
			errs[FieldMobile] = MobileProblem(regions, err)
		}
		a.mobile = mobile
		a.proofs = append(a.proofs, proof{mobile, ByMobile, FieldMobile, newCode(mobile, r.SMSCodeID, r.SMSCode, errs)})
	}
	if r.Email == "" && r.hasEmailCode() {
		errs[FieldEmail] = Missing
	}
	if r.Email != "" {
		email, err := contact.ParseEmail(r.Email)
		if err != nil {
			errs[FieldEmail] = Malformed
		}
		a.email = email
		if r.hasEmailCode() {
			a.proofs = append(a.proofs, proof{email, ByEmail, FieldEmail, newCode(email, r.EmailCodeID, r.EmailCode, errs)})
		}
	}
}

// demand refuses a sign-up without the contacts that this kind of registration proves.
func (r SignUp) demand(registration Registration, errs FieldErrors) {
	neither := r.Mobile == "" && r.Email == "" // wrong for every kind
	if r.Mobile == "" && (neither && registration != EmailOnly || registration == MobileOnly || registration == Both) {
		errs[FieldMobile] = Missing
		if registration == MobileOnly || registration == Both {
			newCode(contact.Mobile{}, r.SMSCodeID, r.SMSCode, errs)
		}
	}
	if r.Email == "" && (neither && registration != MobileOnly || registration == EmailOnly || registration == Both) {
		errs[FieldEmail] = Missing
	}
}

// Register makes an account. The errors are FieldErrors, those of [verify.Service] about the codes, *ExistsError,
// *RegisteredError, [passwords.ErrBusy] and, when the owner of an address without a code has declined mails, a
// *verify.LimitError. The codes are checked before the look-ups and the hash; when the account is not made they are
// restored. Without a code the caller has checked a captcha.
func (s *Service) Register(ctx context.Context, request SignUp) (account Account, err error) {
	a, err := request.parse(s.Policy)
	if err != nil {
		return Account{}, err
	}
	err = s.withProofs(ctx, a.proofs, func() error {
		account, err = s.create(ctx, a)
		return err
	})
	return account, err
}

// withProofs is [Service.withCode] for the codes of a registration.
func (s *Service) withProofs(ctx context.Context, proofs []proof, work func() error) error {
	if len(proofs) == 0 {
		return work()
	}
	first := proofs[0]
	err := s.Codes.Spend(ctx, first.to, verify.Register, first.code.id, first.code.text)
	if errors.Is(err, verify.ErrUsed) {
		return s.registeredBefore(ctx, first, err)
	}
	if err != nil {
		return err
	}
	if err := s.withProofs(ctx, proofs[1:], work); err != nil {
		s.restore(ctx, first.code.id)
		return err
	}
	return nil
}

// A repeated request waits for the first one, which may still hash its password.
const (
	repeatTries = 10
	repeatPause = 200 * time.Millisecond
)

// justRegistered is the greatest age of a first request's account: no code lives longer.
const justRegistered = 30 * time.Minute

// registeredBefore returns a *RegisteredError when another request has registered the contact with the same right code,
// and used when that request has made no account. Only the owner of the contact gets this far.
func (s *Service) registeredBefore(ctx context.Context, p proof, used error) error {
	keys := []Key{{p.by, p.to.Reveal()}}
	if p.by == ByMobile {
		keys = append(keys, Key{ByClaimedMobile, p.to.Reveal()})
	}
	for try := range repeatTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(repeatPause):
			}
		}
		for _, key := range keys {
			account, found, err := s.find(ctx, key)
			switch {
			case err != nil:
				return err
			case found && s.Now().Sub(account.CreatedAt) < justRegistered:
				return &RegisteredError{p.field}
			}
		}
	}
	return used
}

// CheckSignUp returns FieldErrors for mistakes in the form of a request to register, before anything is spent.
func (s *Service) CheckSignUp(request SignUp) error {
	_, err := request.parse(s.Policy)
	return err
}

// create writes the account of an applicant whose code or captcha was right.
func (s *Service) create(ctx context.Context, a applicant) (Account, error) {
	if err := s.refuseTaken(ctx, a); err != nil {
		return Account{}, err
	}
	holder, err := s.claimable(ctx, a.mobile)
	if err != nil {
		return Account{}, err
	}
	priority := passwords.First
	if len(a.proofs) == 0 {
		priority = passwords.Later
	}
	var hash string
	if a.password != "" {
		if hash, err = s.Passwords.Hash(ctx, a.password, priority); err != nil {
			return Account{}, err
		}
	}
	account, mail := s.newAccount(a, hash)
	if holder != nil {
		account, err = s.createClaiming(ctx, account, mail, *holder, a.origin)
	} else {
		err = s.Store.Create(ctx, account, mail)
	}
	if err != nil {
		return Account{}, err
	}
	if a.provesEmail() {
		s.release(ctx, s.Keys.Index(indexEmail, a.email.Reveal()))
	}
	s.enqueueAll(ctx, mail)
	return account, nil
}

// refuseTaken saves the hash of a refused request; the store's unique columns decide races.
func (s *Service) refuseTaken(ctx context.Context, a applicant) error {
	if err := s.freeUsername(ctx, a); err != nil {
		return err
	}
	switch {
	case a.email.IsZero():
		return nil
	case a.provesEmail(): // its owner may have declined mails: none is sent
		return s.refuseProved(ctx, a.email)
	}
	return s.refuseEmail(ctx, a.email)
}

// freeUsername deletes an account of this user name that waits for a proof that did not come in time, or for the proof of
// the address that the applicant has proved: the link was asked for first and then a code. It returns an *ExistsError for
// any other account.
func (s *Service) freeUsername(ctx context.Context, a applicant) error {
	if a.username == (username{}) {
		return nil
	}
	taken, holder, err := s.holder(ctx, a.username)
	if err != nil || !taken {
		return err
	}
	before := s.unprovedBefore()
	switch {
	case holder == nil || holder.Blocked():
		return &ExistsError{FieldUsername}
	case holder.Waiting() && a.provesEmail() && holder.PendingEmail == a.email:
		before = holder.PendingEmailAt.Add(time.Second)
	case !s.ranOut(*holder):
		return &ExistsError{FieldUsername}
	}
	return s.Store.RemoveUnproved(ctx, holder.ID, before)
}

// newAccount returns the account of a person who has agreed to the terms, and its activation mail, if any. It is active
// when a code has proved a contact of it.
func (s *Service) newAccount(a applicant, hash string) (Account, *Mail) {
	now := s.Now()
	account := Account{
		ID:                   newID(),
		Username:             a.username.shown,
		Mobile:               a.mobile,
		PasswordHash:         hash,
		Active:               len(a.proofs) > 0,
		ActivationGeneration: 1,
		SessionGeneration:    1,
		SeenAt:               now,
		AgreedAt:             now,
		AgreedTerms:          s.Policy.TermsVersion,
		AgreedPrivacy:        s.Policy.PrivacyVersion,
		AgreedBy:             a.origin,
		CreatedAt:            now,
		UpdatedAt:            now,
	}
	switch {
	case a.email.IsZero():
		return account, nil
	case a.provesEmail():
		account.Email = a.email
		return account, nil
	}
	account.PendingEmail, account.PendingEmailAt = a.email, now
	mail := s.newMail(MailActivation, s.Policy.ActivationTTL, a.origin)
	mail.Facts.Typed = true
	return account, mail
}

// CreateSuperuser makes an active account with neither number nor address, for the command line. It returns FieldErrors
// or an *ExistsError.
func (s *Service) CreateSuperuser(ctx context.Context, name, password string) (Account, error) {
	errs := FieldErrors{}
	parsed, problem := parseUsername(name)
	if problem != "" {
		errs[FieldUsername] = problem
	}
	normal := s.Policy.newPassword(password, password, errs, parsed.canonical)
	if len(errs) > 0 {
		return Account{}, errs
	}
	hash, err := s.Passwords.Hash(ctx, normal, passwords.First)
	if err != nil {
		return Account{}, err
	}
	account, _ := s.newAccount(applicant{username: parsed}, hash)
	account.Active, account.Superuser = true, true
	account.AgreedAt, account.AgreedTerms, account.AgreedPrivacy = time.Time{}, "", ""
	if err := s.Store.Create(ctx, account, nil); err != nil {
		return Account{}, err
	}
	return account, nil
}
