package sandbox

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	channelSMS   = "sms"
	channelEmail = "email"

	vendorAliyun       = "aliyun"
	vendorAliyunVerify = "aliyun_verify"
	vendorRonglian     = "ronglian"
	vendorTencent      = "tencent"
	vendorHTTP         = "http"
	vendorGeetest      = "geetest"
	vendorSMTP         = "smtp"

	// maxLinks bounds what a hostile mail can show on the page.
	maxLinks = 20
)

// Message is one kept message as its receiver sees it. A message to several recipients is kept once for each.
type Message struct {
	// ID is unique within one run of the sandbox and grows; it is a decimal number.
	ID string `json:"id"`
	// Channel is "sms" or "email".
	Channel string `json:"channel"`
	// Provider is "aliyun", "aliyun_verify", "ronglian", "tencent", "http" or "smtp".
	Provider string `json:"provider"`
	// To is a mainland number of 11 digits, a foreign one with its country code, or an address.
	To string `json:"to"`
	// From is the sign name, the application id or the From header, decoded.
	From string `json:"from"`
	// Subject is empty for SMS.
	Subject string `json:"subject"`
	// Text is the whole SMS, or the plain part of a mail.
	Text string `json:"text"`
	// HTML is the HTML part of a mail as it came. It may be hostile: show it in a sandboxed frame only.
	HTML string `json:"html"`
	// MessageID is the Message-ID of a mail without its brackets, by which a mail reader recognizes a double; empty for SMS.
	MessageID string `json:"message_id"`
	// Code is the verification code that the message seems to carry, or empty.
	Code string `json:"code"`
	// Links are the web addresses in the message, in order and without repeats; never nil.
	Links []string `json:"links"`
	// ReceivedAt is when the sandbox accepted the message.
	ReceivedAt time.Time `json:"received_at"`
}

// size estimates the memory of a message, to bound the sum.
func (m *Message) size() int {
	return 256 + len(m.To) + len(m.From) + len(m.Subject) + len(m.MessageID) + len(m.Text) + len(m.HTML)
}

var (
	// A link ends at the first character beyond ASCII: Chinese text follows without a blank.
	linkPattern = regexp.MustCompile(`https?://[!#-;=?-Z\[\]_a-z~%]+`)
	// hostPattern is an address without a scheme, as some mails quote one: its port is no code.
	hostPattern = regexp.MustCompile(`(?:localhost|[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}`)
	// namePattern is what a message that carries a code calls it.
	namePattern = regexp.MustCompile(`(?i)验证码|校验码|动态码|确认码|\b(?:code|passcode|otp|pin)\b`)
	// codePattern leaves parts of dates (2026-11-30, 2026年) and of masked numbers (138****8000) aside.
	codePattern = regexp.MustCompile(`(?:^|[^0-9A-Za-z*/-])([0-9]{4,8})(?:[^0-9A-Za-z*/年-]|$)`)
	wordPattern = regexp.MustCompile(`^[0-9A-Za-z]{4,8}$`)
)

// findLinks returns the links of plain text, in order, without repeats.
func findLinks(text string) []string {
	links := []string{}
	for _, link := range linkPattern.FindAllString(text, 10*maxLinks) {
		links = addLink(links, strings.TrimRight(link, ".,;:!?)]'"))
	}
	return links
}

func addLink(links []string, link string) []string {
	if len(links) >= maxLinks || slices.Contains(links, link) {
		return links
	}
	return append(links, link)
}

// findCode returns the first run of four to eight digits that stands alone outside links and addresses, in a text that
// speaks of a code or is nothing else.
func findCode(text string) string {
	text = hostPattern.ReplaceAllString(linkPattern.ReplaceAllString(text, " "), " ")
	match := codePattern.FindStringSubmatch(text)
	if match == nil || match[1] != strings.TrimSpace(text) && !namePattern.MatchString(text) {
		return ""
	}
	return match[1]
}

// normalNumber strips the forms of the country code that the vendors take in front of a mainland
// number; of other numbers it strips the plus sign.
func normalNumber(number string) string {
	number = strings.TrimSpace(number)
	for _, prefix := range []string{"+86", "0086", "86"} {
		if rest, ok := strings.CutPrefix(number, prefix); ok && mainland(rest) {
			return rest
		}
	}
	return strings.TrimPrefix(number, "+")
}

// mainland reports whether number is a mainland mobile number without a country code.
func mainland(number string) bool {
	return len(number) == 11 && number[0] == '1' && number[1] >= '3' && digits(number)
}

// dialable reports whether a number in normal form can exist. Eleven digits that begin with 1 count as a mainland number, as they
// do at the vendors, and must be one.
func dialable(number string) bool {
	if !digits(number) || len(number) < 7 || len(number) > 15 || number[0] == '0' {
		return false
	}
	return len(number) != 11 || number[0] != '1' || mainland(number)
}

func digits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}
