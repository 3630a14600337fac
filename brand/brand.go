// Package brand reads the folder with a team's own face: names, logo, colours, links and texts. Everything in it is checked when it
// is read, so that a mistake stops a process at its start and never shows on a page.
//
// Without a folder the face is Usher's own: a nil *Brand is that one and may be used.
package brand

import (
	"cmp"
	"io/fs"
)

// The two languages of pages, mails and messages. Everything that is not English is Chinese.
const (
	chinese = "zh"
	english = "en"
)

// Brand is a team's face. It is immutable and safe for concurrent use.
type Brand struct {
	name, mailName localized
	help           localized

	light, dark Theme

	logo, logoDark  *Image
	icon, touchIcon *Image

	icp, police string
	texts       map[string]map[string]string
	mails       fs.FS
	securityTxt []byte
}

// IsOwn reports whether a team has set a face of its own.
func (b *Brand) IsOwn() bool { return b != nil }

// Name is the product's name in a language.
func (b *Brand) Name(language string) string {
	if b == nil {
		return "Usher"
	}
	return b.name.in(language)
}

// OwnName is the product's name where the team has set one, else "".
func (b *Brand) OwnName(language string) string {
	if b == nil {
		return ""
	}
	return b.name.in(language)
}

// MailName is the sender's name in mails of a language; it is empty without a face of its own, where the name of USHER_MAIL_FROM is
// used.
func (b *Brand) MailName(language string) string {
	if b == nil {
		return ""
	}
	return cmp.Or(b.mailName.in(language), b.name.in(language))
}

// Help is the address of the team's help in a language; empty: there is none.
func (b *Brand) Help(language string) string {
	if b == nil {
		return ""
	}
	return b.help.in(language)
}

// Light are the colours of light pages.
func (b *Brand) Light() Theme {
	if b == nil {
		return ownLight
	}
	return b.light
}

// Dark are the colours of dark pages.
func (b *Brand) Dark() Theme {
	if b == nil {
		return ownDark
	}
	return b.dark
}

// Logo returns the logo on light and on dark pages, which may be the same picture; both are nil where there is none.
func (b *Brand) Logo() (light, dark *Image) {
	if b == nil {
		return nil, nil
	}
	return b.logo, cmp.Or(b.logoDark, b.logo)
}

// Icon is the icon of browsers' tabs; nil means Usher's own.
func (b *Brand) Icon() *Image {
	if b == nil {
		return nil
	}
	return b.icon
}

// TouchIcon is the icon on the home screens of phones; nil: there is none.
func (b *Brand) TouchIcon() *Image {
	if b == nil {
		return nil
	}
	return b.touchIcon
}

// ICP is the number of the filing with the ministry of industry, which sites in mainland China show; empty: there is none.
func (b *Brand) ICP() string {
	if b == nil {
		return ""
	}
	return b.icp
}

// Police returns the number of the filing with the public security, and the address of its entry; both are empty where there is none.
func (b *Brand) Police() (number, link string) {
	if b == nil || b.police == "" {
		return "", ""
	}
	return b.police, "https://beian.mps.gov.cn/#/query/webSearch?code=" + policeNumber.FindStringSubmatch(b.police)[1]
}

// Texts are the texts of pages in a language that replace Usher's, by their keys.
func (b *Brand) Texts(language string) map[string]string {
	if b == nil {
		return nil
	}
	return b.texts[language]
}

// Mails has the templates of mails that replace Usher's; nil: there are none.
func (b *Brand) Mails() fs.FS {
	if b == nil {
		return nil
	}
	return b.mails
}

// SecurityTxt is the file for finders of security problems (RFC 9116); empty: there is none.
func (b *Brand) SecurityTxt() []byte {
	if b == nil {
		return nil
	}
	return b.securityTxt
}

// localized is a text in both languages.
type localized struct {
	zh, en string
	wrong  string // with it, if it could not be read
}

func (l localized) in(language string) string {
	if language == english {
		return l.en
	}
	return l.zh
}
