package api

import (
	"usher/accounts"
	"usher/verify"
)

// smsProof is how a request proves a number.
type smsProof struct{ mobile, codeID, code string }

// contactCode is a code for a number or an address as a request gives it.
type contactCode struct {
	to       verify.Recipient
	id, text string
}

// readCode returns the code of a request that proves either contact: the one for the number if a number is given. It
// returns the mistakes of the request with those that the caller has found already.
func (s *Server) readCode(sms smsProof, mail emailProof, wrong mistakes) (contactCode, error) {
	if sms.mobile != "" || sms.code != "" || mail == (emailProof{}) {
		mobile := wrong.code(s.Config.Regions, sms.mobile, sms.codeID, sms.code)
		return contactCode{mobile, sms.codeID, sms.code}, wrong.err()
	}
	code, linkErr := s.readProof(mail, accounts.FieldEmailCode, wrong)
	if err := wrong.err(); err != nil {
		return contactCode{}, err
	}
	return contactCode{code.to, code.id, code.code}, linkErr
}

// hasCode reports whether a code or its link comes with the address.
func (p emailProof) hasCode() bool {
	return p.EmailCodeID != "" || p.EmailCode != "" || p.EmailCodeToken != ""
}
