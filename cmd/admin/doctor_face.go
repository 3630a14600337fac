package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"usher/brand"
	"usher/config"
)

// securityNotice is how long before its end a security.txt is warned of.
const securityNotice = 30 * 24 * time.Hour

// examineFace shows the team's own face and checks that its security.txt has not expired. Its mistakes are findings about the settings.
func examineFace(face *brand.Brand, c config.API, now time.Time) []finding {
	if c.Brand == "" {
		return []finding{{Name: "face", Status: isOK, Detail: "Usher's own: " + config.Prefix + "BRAND is not set"}}
	}
	if face == nil { // it cannot be read
		return nil
	}
	findings := []finding{{Name: "face", Status: isOK, Detail: describeFace(face, c)}}
	if len(face.SecurityTxt()) > 0 {
		findings = append(findings, checkSecurityTxt(face.SecurityExpiry(), now))
	}
	return findings
}

// describeFace tells in one line for each part what people see.
func describeFace(face *brand.Brand, c config.API) string {
	none := func(text string) string { return cmp.Or(text, "none") }
	inBoth := func(of func(language string) string) string {
		zh, en := of("zh"), of("en")
		if zh == en {
			return none(zh)
		}
		return zh + ", in English " + en
	}
	logo := "none: pages show the name"
	if light, dark := face.Logo(); light != nil {
		if logo = light.Name; dark != light {
			logo += ", on dark pages " + dark.Name
		}
	}
	police, _ := face.Police()
	// Rounded down, as in the refusal of a colour.
	contrast := func(t brand.Theme) float64 { return float64(int(t.LeastContrast()*100)) / 100 }
	return strings.Join([]string{
		"name: " + inBoth(face.Name),
		"logo: " + logo,
		fmt.Sprintf("least contrast of texts: %.2f:1 on light pages, %.2f:1 on dark ones (WCAG AA wants 4.5:1)", contrast(face.Light()), contrast(face.Dark())),
		"help: " + inBoth(face.Help),
		"terms: " + none(c.TermsURL) + ", privacy policy: " + none(c.PrivacyURL),
		"ICP number: " + none(face.ICP()) + ", of the police: " + none(police),
	}, "\n")
}

// checkSecurityTxt warns of a security.txt that finders must not use any more (RFC 9116, section 2.5.5), or soon.
func checkSecurityTxt(expires, now time.Time) finding {
	f := finding{Name: "security.txt", Status: isOK, Detail: "is valid until " + expires.Format(time.DateOnly)}
	switch left := expires.Sub(now); {
	case left <= 0:
		f.Status, f.Detail = isWarn, "has expired on "+expires.Format(time.DateOnly)
	case left <= securityNotice:
		f.Status, f.Detail = isWarn, "expires on "+expires.Format(time.DateOnly)
	default:
		return f
	}
	f.Help = "check its contacts, set Expires to a day within the next year, and restart the API; see docs/branding.md"
	return f
}
