package api

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/contact"
	"usher/limits"
	"usher/messages"
	"usher/tokens"
	"usher/verify"
)

// pathVerifications is the path of all codes for the users of apps.
const pathVerifications = "/v1/verifications"

type verificationBody struct {
	Channel        string `json:"channel"`
	To             string `json:"to"`
	Purpose        string `json:"purpose"`
	TemplateParams string `json:"template_params"` // refused, with words
	IP             string `json:"ip"`
	Nonce          string `json:"nonce"`
}

type verificationView struct {
	ID          string           `json:"id"`
	Channel     messages.Channel `json:"channel"`
	To          string           `json:"to"` // masked
	ExpiresIn   int              `json:"expires_in"`
	ResendAfter int              `json:"resend_after"`
}

// verificationRequest is a body that was read.
type verificationRequest struct {
	to      verify.Recipient
	purpose string
	nonce   string
	client  netip.Addr // of the end user; zero when the app does not tell
}

// read parses the body of an app.
func (b verificationBody) read(regions contact.Regions) (r verificationRequest, err error) {
	wrong := mistakes{}
	r.to = wrong.recipient(regions, messages.Channel(b.Channel), b.To)
	if r.purpose = b.Purpose; !verify.ValidAppPurpose(b.Purpose) {
		wrong.malformed(fieldPurpose, b.Purpose)
		if b.Purpose != "" {
			wrong[fieldPurpose] = notForApp
		}
	}
	if b.TemplateParams != "" {
		wrong[fieldTemplateParams] = accounts.NotAllowed
	}
	if r.nonce = b.Nonce; !validNonce(b.Nonce) {
		wrong[fieldNonce] = accounts.Malformed
	}
	if b.IP != "" {
		if r.client, err = netip.ParseAddr(b.IP); err != nil || r.client.Zone() != "" {
			wrong[fieldIP] = accounts.Malformed
		}
	}
	return r, wrong.err()
}

// maxNonce leaves room for a random text, or for the id of a session.
const maxNonce = 128

// validNonce accepts visible ASCII characters only, which no program on the way changes.
func validNonce(text string) bool {
	return len(text) <= maxNonce && strings.IndexFunc(text, func(r rune) bool { return r < '!' || r > '~' }) < 0
}

// startVerification enqueues a code for a user of an app. No captcha is asked, because the app asks its users itself; the limits of the
// recipient are those of a stranger.
func (s *Server) startVerification(c echo.Context, body verificationBody) (verificationView, error) {
	r, err := body.read(s.Config.Regions)
	if err != nil {
		return verificationView{}, err
	}
	app := appOf(c).app
	if mobile, bySMS := r.to.(contact.Mobile); bySMS && !app.Serves(mobile.Region()) {
		return verificationView{}, errAppRegion
	}
	spends := s.appSpends(r)
	if mobile, bySMS := r.to.(contact.Mobile); bySMS {
		_, budget := s.limitsOf(app)
		spends = append(spends, limits.Spend{Limit: budget, Subject: app.ID, Units: s.Config.SMSUnits[mobile.Region()]})
	}
	_, decision, err := s.Gate.Admit(c.Request().Context(), "", spends)
	if err != nil {
		return verificationView{}, err
	}
	if !decision.Allowed() {
		s.warnOfConversion(c, decision, r.to)
		return verificationView{}, refusal(decision)
	}
	issued, err := s.Verify.Issue(c.Request().Context(), verify.Request{
		To: r.to, Purpose: verify.ForApp(app.ID, r.purpose), App: &verify.AppRequest{Name: app.Name, Nonce: r.nonce},
		RequestID: idOf(c), Language: languageOf(c),
	})
	if err != nil {
		s.refund(c, spends) // nothing is sent
		return verificationView{}, err
	}
	setRateLimit(c, decision)
	channel := verify.ChannelOf(r.to)
	s.Metrics.verified.WithLabelValues(string(channel), "started").Inc()
	c.Response().Header().Set(echo.HeaderLocation, pathVerifications+"/"+issued.ID)
	return verificationView{issued.ID, channel, r.to.String(), seconds(issued.ExpiresIn), seconds(issued.ResendAfter)}, nil
}

// appSpends returns the spends of one code as for a person at the end user's address. When the app does not tell that address, only the
// limits of the recipient, of the app and of all clients count.
func (s *Server) appSpends(r verificationRequest) []limits.Spend {
	byAddress := s.Limits.ByAddress(r.client, sendLimits(r.to)...)
	if !r.client.IsValid() {
		_, byAddress = limits.Split(byAddress)
	}
	return s.sendSpendsBeside(byAddress, r.to)
}

// setLocation is for the kept answer to a verification that was started before.
func setLocation(c echo.Context, kept []byte) {
	var started struct {
		ID string `json:"id"`
	}
	if c.Path() == pathVerifications && json.Unmarshal(kept, &started) == nil {
		c.Response().Header().Set(echo.HeaderLocation, pathVerifications+"/"+started.ID)
	}
}

type verificationStatusView struct {
	ID           string           `json:"id"`
	Channel      messages.Channel `json:"channel"`
	To           string           `json:"to"` // masked
	Purpose      string           `json:"purpose"`
	Status       messages.State   `json:"status"`
	AttemptsLeft int              `json:"attempts_left"`
	ResendAfter  int              `json:"resend_after"`
	CreatedAt    string           `json:"created_at"`
	ExpiresAt    string           `json:"expires_at"`
	SentAt       string           `json:"sent_at,omitempty"`
	DeliveredAt  string           `json:"delivered_at,omitempty"`
	ApprovedAt   string           `json:"approved_at,omitempty"`
}

func viewOfVerification(v verify.Verification) verificationStatusView {
	return verificationStatusView{
		ID: v.ID, Channel: v.Channel, To: v.To, Purpose: v.Purpose, Status: v.State, AttemptsLeft: max(v.AttemptsLeft, 0),
		ResendAfter: seconds(v.ResendAfter), CreatedAt: timeText(v.IssuedAt), ExpiresAt: timeText(v.ExpiresAt), SentAt: timeText(v.SentAt),
		DeliveredAt: timeText(v.DeliveredAt), ApprovedAt: timeText(v.UsedAt),
	}
}

// timeText writes a time in UTC, and the zero time as nothing.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// verification returns the code that the path names, if it is the app's own.
func (s *Server) verification(c echo.Context) (verify.Verification, error) {
	return s.Verify.Verification(c.Request().Context(), appOf(c).app.ID, c.Param("id"))
}

func (s *Server) verificationStatus(c echo.Context) (verificationStatusView, error) {
	v, err := s.verification(c)
	return viewOfVerification(v), err
}

type verificationCheckBody struct {
	Code string `json:"code"`
}

type verificationCheckView struct {
	Approved     bool   `json:"approved"`
	AttemptsLeft int    `json:"attempts_left"`
	Proof        string `json:"proof,omitempty"`
}

// checkVerification counts a guess, and uses the code when it is right. Where keys for tokens are configured the answer then has a proof.
func (s *Server) checkVerification(c echo.Context, body verificationCheckBody) (verificationCheckView, error) {
	wrong := mistakes{}
	wrong.require(fieldCode, body.Code)
	if err := wrong.err(); err != nil {
		return verificationCheckView{}, err
	}
	v, err := s.verification(c)
	if err != nil {
		return verificationCheckView{}, err
	}
	result, err := s.Verify.Approve(c.Request().Context(), v, body.Code)
	if err != nil || !result.Valid {
		return verificationCheckView{AttemptsLeft: result.AttemptsLeft}, err
	}
	proof, err := s.proofOf(v)
	if err != nil {
		return verificationCheckView{}, errors.Join(err, s.Verify.Restore(c.Request().Context(), v.ID))
	}
	s.Metrics.verified.WithLabelValues(string(v.Channel), "approved").Inc()
	return verificationCheckView{true, result.AttemptsLeft, proof}, nil
}

// proofOf returns the proof of a code that was entered, or "" where no keys for tokens are configured.
func (s *Server) proofOf(v verify.Verification) (string, error) {
	if s.Tokens == nil {
		return "", nil
	}
	claims := tokens.ProofClaims{App: v.App, Verification: v.ID, Channel: v.Channel, Purpose: v.Purpose, Nonce: v.Nonce}
	switch to := v.Recipient.(type) {
	case contact.Mobile:
		claims.Mobile = to
	case contact.Email:
		claims.Email = to
	}
	proof, _, err := s.Tokens.Proof(claims)
	if err != nil {
		return "", err
	}
	s.Metrics.tokens.WithLabelValues("proof").Inc()
	return proof.Reveal(), nil
}

type redeemBody struct {
	Proof string `json:"proof"`
	Nonce string `json:"nonce"`
}

type redeemedView struct {
	ID      string           `json:"id"`
	Channel messages.Channel `json:"channel"`
	Purpose string           `json:"purpose"`
	Mobile  string           `json:"phone_number,omitempty"` // E.164
	Email   string           `json:"email,omitempty"`
}

// redeemVerification uses up a proof. It answers with the number or address, which the app has in the proof already.
func (s *Server) redeemVerification(c echo.Context, body redeemBody) (redeemedView, error) {
	if s.Tokens == nil {
		return redeemedView{}, errTokensOff
	}
	wrong := mistakes{}
	wrong.require(fieldProof, body.Proof)
	if err := wrong.err(); err != nil {
		return redeemedView{}, err
	}
	claims, err := s.Tokens.VerifyProof(body.Proof, appOf(c).app.ID)
	switch {
	case err != nil:
		return redeemedView{}, err
	case claims.Verification != c.Param("id"):
		return redeemedView{}, errProofOther
	case claims.Nonce != body.Nonce:
		return redeemedView{}, errProofNonce
	}
	first, err := s.Verify.Redeem(c.Request().Context(), claims.Verification, claims.ExpiresAt)
	if err != nil {
		return redeemedView{}, err
	}
	if !first {
		return redeemedView{}, errProofSpent
	}
	s.Metrics.verified.WithLabelValues(string(claims.Channel), "redeemed").Inc()
	return redeemedView{claims.Verification, claims.Channel, claims.Purpose, claims.Mobile.E164(), claims.Email.Reveal()}, nil
}

// cancelVerification ends a code, and answers with its status afterwards: that of a code that was used or is over has not changed.
func (s *Server) cancelVerification(c echo.Context) (verificationStatusView, error) {
	v, err := s.verification(c)
	if err != nil {
		return verificationStatusView{}, err
	}
	if err := s.Verify.Cancel(c.Request().Context(), v); err != nil {
		return verificationStatusView{}, err
	}
	before := v.State
	if v, err = s.verification(c); err == nil && v.State == verify.StateCanceled && before != v.State {
		s.Metrics.verified.WithLabelValues(string(v.Channel), "canceled").Inc()
	}
	return viewOfVerification(v), err
}
