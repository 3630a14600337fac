package accounts

import (
	"context"
	"time"
)

// Document is what people agree to.
type Document string

// The documents.
const (
	Terms   Document = "terms"
	Privacy Document = "privacy"
)

// Consent is a person's consent to one version of a document.
type Consent struct {
	Document    Document  `json:"document"`
	Version     string    `json:"version"`  // empty: the operator had named none
	Language    string    `json:"language"` // in which the person has read it; empty: not known
	RequestID   string    `json:"request_id"`
	AgreedAt    time.Time `json:"agreed_at"`
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
}

// Versions names a version of each document; empty where there is none.
type Versions struct {
	Terms   string `json:"terms"`
	Privacy string `json:"privacy"`
}

// Fields of [Service.Agree].
const (
	FieldTerms   Field = "terms"
	FieldPrivacy Field = "privacy"
)

// ConsentDue returns the versions that the account has to agree to before it is used again; empty where there is nothing to
// agree to.
func (p Policy) ConsentDue(account Account) Versions {
	due := Versions{p.TermsVersion, p.PrivacyVersion}
	if account.AgreedTerms == p.TermsVersion {
		due.Terms = ""
	}
	if account.AgreedPrivacy == p.PrivacyVersion {
		due.Privacy = ""
	}
	return due
}

// Agree records that the person agrees to these versions. It returns the account. The errors are FieldErrors for a version that
// is due and not named, or that is not the present one: the person has read another text.
func (s *Service) Agree(ctx context.Context, account Account, agreed Versions, origin Origin) (Account, error) {
	errs, due := FieldErrors{}, s.Policy.ConsentDue(account)
	for field, version := range map[Field][3]string{
		FieldTerms:   {agreed.Terms, due.Terms, s.Policy.TermsVersion},
		FieldPrivacy: {agreed.Privacy, due.Privacy, s.Policy.PrivacyVersion},
	} {
		if named, due, present := version[0], version[1], version[2]; named == "" && due != "" || named != "" && named != present {
			errs[field] = MustBeAgreed
		}
	}
	if len(errs) > 0 {
		return Account{}, errs
	}
	if due == (Versions{}) { // the request was sent twice
		return account, nil
	}
	return s.Store.Agree(ctx, account.ID, consentsTo(due, s.Now(), origin))
}

// consentsTo returns the consents to the versions that are not empty.
func consentsTo(versions Versions, at time.Time, origin Origin) []Consent {
	var list []Consent
	for _, of := range []struct {
		document Document
		version  string
	}{{Terms, versions.Terms}, {Privacy, versions.Privacy}} {
		if of.version != "" {
			list = append(list, Consent{
				Document: of.document, Version: of.version, Language: origin.Language, RequestID: origin.RequestID, AgreedAt: at,
			})
		}
	}
	return list
}

// Consents returns the consents of a new account, which its store writes with it: none for an account that an operator has made.
func (a Account) Consents() []Consent {
	if a.AgreedAt.IsZero() {
		return nil
	}
	list := consentsTo(Versions{a.AgreedTerms, a.AgreedPrivacy}, a.AgreedAt, a.AgreedBy)
	if a.AgreedTerms == "" { // people agree to the terms also where they have no version
		list = append(list, Consent{
			Document: Terms, Language: a.AgreedBy.Language, RequestID: a.AgreedBy.RequestID, AgreedAt: a.AgreedAt,
		})
	}
	return list
}

// Withdraw records that the person agrees to a document no longer. It returns the account, which has to agree again before it is
// used, where the document has a version.
func (s *Service) Withdraw(ctx context.Context, account Account, document Document) (Account, error) {
	return s.Store.Withdraw(ctx, account.ID, document, s.Now())
}
