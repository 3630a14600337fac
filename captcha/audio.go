package captcha

import (
	"bytes"
	"fmt"

	"github.com/mojocn/base64Captcha"
)

// speak returns a WAV file (8 kHz, 8 bit, mono) that says digits, which must be ASCII digits, at least one and at most
// maxLength, over a murmur of reversed digits.
func speak(digits, language string) ([]byte, error) {
	item, err := base64Captcha.NewDriverAudio(len(digits), language).DrawCaptcha(digits)
	if err != nil {
		return nil, fmt.Errorf("captcha: speak digits: %w", err)
	}
	var wav bytes.Buffer
	if _, err := item.WriteTo(&wav); err != nil {
		return nil, fmt.Errorf("captcha: write recording: %w", err)
	}
	return wav.Bytes(), nil
}
