package brand

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Sizes of files in bytes. Those of pictures keep /register light: a logo is loaded with each first page.
const (
	maxJSON    = 64 << 10
	maxPicture = 24 << 10
	maxTouch   = 64 << 10
	maxText    = 4 << 10
)

// files are the names that a folder may have, with their sizes.
var files = map[string]int{
	"brand.json": maxJSON, "texts.zh.json": maxJSON, "texts.en.json": maxJSON,
	"logo.svg": maxPicture, "logo.png": maxPicture, "logo-dark.svg": maxPicture, "logo-dark.png": maxPicture,
	"icon.svg": maxPicture, "icon.png": maxPicture, "touch-icon.png": maxTouch,
	"security.txt": maxText,
}

// mailFolder has templates of mails.
const mailFolder = "mails"

// settings is brand.json.
type settings struct {
	Name     localized `json:"name"`
	MailName localized `json:"mail_name"`
	Colours  struct {
		Light chosen `json:"light"`
		Dark  chosen `json:"dark"`
	} `json:"colours"`
	Links struct {
		Help localized `json:"help"`
	} `json:"links"`
	ICP    string `json:"icp"`
	Police string `json:"police"`
}

// Load reads a folder. The error has one line for each mistake, which begins with the file's name.
func Load(folder fs.FS) (*Brand, error) {
	content, b, errs := map[string][]byte{}, &Brand{texts: map[string]map[string]string{}}, []error(nil)
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, errors.New("want a folder that can be read")
	}
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case strings.HasPrefix(name, ".") || strings.HasPrefix(strings.ToUpper(name), "README"):
		case name == mailFolder:
			if b.mails, err = fs.Sub(folder, mailFolder); err != nil {
				errs = append(errs, fmt.Errorf("%s: cannot be read", name))
			}
		case files[name] == 0:
			errs = append(errs, fmt.Errorf("%s: is not a file of this folder%s", Printable(name), Suggest(name, fileNames())))
		default:
			if content[name], err = readFile(folder, name, files[name]); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
				delete(content, name)
			}
		}
	}
	if content["brand.json"] == nil && len(errs) == 0 {
		errs = append(errs, errors.New("brand.json: is missing"))
	}
	errs = append(errs, b.readSettings(content["brand.json"]), b.readPictures(content), b.readTexts(content))
	if b.securityTxt = content["security.txt"]; b.securityTxt != nil {
		errs = append(errs, checkSecurityTxt(b.securityTxt))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if b.icon == nil {
		b.icon = initialIcon(b.name.zh, b.light)
	}
	return b, nil
}

func fileNames() []string {
	names := []string{mailFolder}
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// readFile reads a regular file of at most a size. A text loses its byte order mark.
func readFile(folder fs.FS, name string, most int) ([]byte, error) {
	info, err := fs.Stat(folder, name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("want a file that can be read")
	}
	file, err := folder.Open(name)
	if err != nil {
		return nil, errors.New("cannot be opened")
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	switch {
	case err != nil:
		return nil, errors.New("cannot be read")
	case len(content) > most:
		return nil, fmt.Errorf("is longer than %d KiB", most>>10)
	case strings.HasSuffix(name, ".png"):
		return content, nil
	case !utf8.Valid(content):
		return nil, errors.New("is not in UTF-8")
	}
	return bytes.TrimPrefix(content, []byte("\uFEFF")), nil
}

// Numbers of the two filings, such as 京ICP备12345678号-1 and 京公网安备 11010802020134号.
var (
	icpNumber    = regexp.MustCompile(`\A\p{Han}ICP[备证] ?[0-9]{5,12}号(-[0-9]{1,4})?\z`)
	policeNumber = regexp.MustCompile(`\A\p{Han}公网安备 ?([0-9]{11,14})号\z`)
)

// maxName of a product, in characters: it stands in the titles of pages, in subjects and in messages.
const maxName = 30

func (b *Brand) readSettings(content []byte) error {
	if content == nil {
		b.light, b.dark = ownLight, ownDark
		return nil
	}
	var s settings
	if err := decodeStrictly(content, &s); err != nil {
		return fmt.Errorf("brand.json: %w", err)
	}
	b.name, b.mailName, b.help, b.icp, b.police = s.Name, s.MailName, s.Links.Help, s.ICP, s.Police
	var errs []error
	mistake := func(isGood bool, text string) {
		if !isGood {
			errs = append(errs, errors.New("brand.json: "+text))
		}
	}
	for key, text := range map[string]localized{"name": b.name, "mail_name": b.mailName, "links.help": b.help} {
		if text.wrong != "" {
			return fmt.Errorf("brand.json: %s: %s", key, text.wrong)
		}
	}
	mistake(isName(b.name.zh) && isName(b.name.en), fmt.Sprintf("name: want one of 1 to %d characters", maxName))
	mistake(b.mailName == localized{} || isName(b.mailName.zh) && isName(b.mailName.en), fmt.Sprintf("mail_name: want one of 1 to %d characters", maxName))
	mistake(isPage(b.help.zh) && isPage(b.help.en), "links.help: want an address that begins with https://")
	mistake(b.icp == "" || icpNumber.MatchString(b.icp), "icp: want a number such as 京ICP备12345678号-1")
	mistake(b.police == "" || policeNumber.MatchString(b.police), "police: want a number such as 京公网安备 11010802020134号")
	var err error
	if b.light, b.dark, err = themes(s.Colours.Light, s.Colours.Dark); err != nil {
		for line := range strings.Lines(err.Error()) {
			mistake(false, strings.TrimSpace(line))
		}
	}
	return errors.Join(errs...)
}

// isName accepts what every place shows alike: one line without what changes the direction of text or hides something, and without
// what headers and templates give a meaning.
func isName(text string) bool {
	n := utf8.RuneCountInString(text)
	return n >= 1 && n <= maxName && strings.TrimSpace(text) == text && isLine(text) && !strings.ContainsAny(text, "<>{}%\"\\")
}

// isLine reports whether a text is visible in one line.
func isLine(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) }) < 0
}

// isPage accepts no address, and that of a page.
func isPage(text string) bool {
	u, err := url.Parse(text)
	return text == "" || err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && len(text) <= 1000
}

// unknownField is what package json says of a key without a field.
var unknownField = regexp.MustCompile(`^json: unknown field "(.*)"$`)

// decodeStrictly decodes one JSON value into a struct. An error says which key is wrong and quotes no value.
func decodeStrictly(content []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return errors.New("has something after its end")
		}
		return nil
	}
	if found := unknownField.FindStringSubmatch(err.Error()); found != nil {
		return fmt.Errorf("unknown key %q%s", Printable(found[1]), Suggest(found[1], keysOf(reflect.TypeOf(into).Elem())))
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s: want %s", kind.Field, wanted(kind.Type))
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line := 1 + bytes.Count(content[:min(int(syntax.Offset), len(content))], []byte("\n"))
		return fmt.Errorf("line %d: %w", line, err)
	}
	return err
}

func wanted(t reflect.Type) string {
	if t.Kind() == reflect.String {
		return "a text"
	}
	return "an object"
}

// keysOf lists the keys of a struct and of those in it.
func keysOf(t reflect.Type) []string {
	var keys []string
	if t.Kind() != reflect.Struct {
		return nil
	}
	for field := range t.Fields() {
		if key := field.Tag.Get("json"); key != "" {
			keys = append(append(keys, key), keysOf(field.Type)...)
		}
	}
	return keys
}

// UnmarshalJSON reads one text for both languages, or an object with both. It keeps what is wrong for the caller, which knows the key.
func (l *localized) UnmarshalJSON(content []byte) error {
	var both struct {
		ZH string `json:"zh"`
		EN string `json:"en"`
	}
	if err := json.Unmarshal(content, &l.zh); err == nil {
		l.en = l.zh
	} else if err := decodeStrictly(content, &both); content[0] == '{' && err != nil {
		l.wrong = err.Error()
	} else if both.ZH == "" || both.EN == "" {
		l.wrong = `want a text, or an object with both "zh" and "en"`
	} else {
		l.zh, l.en = both.ZH, both.EN
	}
	return nil
}

func (b *Brand) readPictures(content map[string][]byte) error {
	var errs []error
	for name, into := range map[string]**Image{"logo": &b.logo, "logo-dark": &b.logoDark, "icon": &b.icon, "touch-icon": &b.touchIcon} {
		for _, ext := range []string{".svg", ".png"} {
			raw := content[name+ext]
			if raw == nil {
				continue
			}
			if *into != nil {
				errs = append(errs, fmt.Errorf("%s%s: there is %s.svg already", name, ext, name))
				continue
			}
			picture, err := readImage(name+ext, raw)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s%s: %w", name, ext, err))
			}
			*into = picture
		}
	}
	if b.logoDark != nil && b.logo == nil {
		errs = append(errs, fmt.Errorf("%s: needs a logo for light pages beside it", b.logoDark.Name))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (b *Brand) readTexts(content map[string][]byte) error {
	var errs []error
	for _, language := range []string{chinese, english} {
		name := "texts." + language + ".json"
		if content[name] == nil {
			continue
		}
		texts := map[string]string{}
		if err := decodeStrictly(content[name], &texts); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		b.texts[language] = texts
	}
	return errors.Join(errs...)
}

// checkSecurityTxt asks for what RFC 9116 requires. A date that is over is no mistake: it would keep a process from starting.
func checkSecurityTxt(content []byte) error {
	contact := regexp.MustCompile(`(?mi)^contact: *(https://|mailto:|tel:)\S+ *\r?$`)
	if !contact.Match(content) {
		return errors.New("security.txt: want a line such as Contact: mailto:security@example.com")
	}
	if _, err := securityExpiry(content); err != nil {
		return errors.New("security.txt: want a line such as Expires: 2027-12-31T23:59:59Z")
	}
	return nil
}

var expiresLine = regexp.MustCompile(`(?mi)^expires: *(\S+) *\r?$`)

func securityExpiry(content []byte) (time.Time, error) {
	found := expiresLine.FindSubmatch(content)
	if found == nil {
		return time.Time{}, errors.New("no expiry")
	}
	return time.Parse(time.RFC3339, string(found[1]))
}

// SecurityExpiry is when security.txt is out of date; zero without one.
func (b *Brand) SecurityExpiry() time.Time {
	if b == nil || b.securityTxt == nil {
		return time.Time{}
	}
	at, _ := securityExpiry(b.securityTxt) // checked
	return at
}

// Printable returns a text of a file so that it can be shown in a terminal.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return '?'
	}, text)
}
