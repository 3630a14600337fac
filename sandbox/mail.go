package sandbox

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
)

const (
	// maxMailDepth and maxMailParts bound the work for a hostile MIME tree.
	maxMailDepth = 5
	maxMailParts = 50

	unreadable = "(unreadable)"
)

var errMailShape = errors.New("mail nests too deep or has too many parts")

// parseMail reads one mail into the fields that follow from its content. It drops attachments. An error of r is returned as it is.
func parseMail(r io.Reader) (Message, error) {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return Message{}, err
	}
	words := mime.WordDecoder{CharsetReader: charset.NewReaderLabel}
	message := Message{
		Subject:   decodeWords(words, m.Header.Get("Subject")),
		MessageID: strings.ToValidUTF8(strings.Trim(m.Header.Get("Message-Id"), "<> "), "\uFFFD"),
	}
	if from, err := (&mail.AddressParser{WordDecoder: &words}).Parse(m.Header.Get("From")); err == nil {
		message.From = from.Address
		if from.Name != "" {
			message.From = from.Name + " <" + from.Address + ">"
		}
	}
	parts := mailParts{left: maxMailParts}
	err = parts.read(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body, maxMailDepth)
	if err != nil {
		return Message{}, err
	}
	// Data must be read to its end, beyond the last boundary too.
	if _, err := io.Copy(io.Discard, m.Body); err != nil {
		return Message{}, err
	}
	message.Text, message.HTML = parts.text, parts.html
	message.Links = findLinks(message.Text)
	visible := message.Text
	if message.HTML != "" {
		text, hrefs := readHTML(message.HTML)
		for _, link := range hrefs {
			message.Links = addLink(message.Links, link)
		}
		if visible == "" {
			visible = text
		}
	}
	message.Code = findCode(visible)
	return message, nil
}

func decodeWords(words mime.WordDecoder, text string) string {
	decoded, err := words.DecodeHeader(text)
	if err != nil {
		decoded = text
	}
	return strings.ToValidUTF8(decoded, "\uFFFD")
}

// mailParts collects the first text and the first HTML part of a tree.
type mailParts struct {
	text, html string
	left       int
}

func (p *mailParts) read(contentType, encoding string, body io.Reader, depth int) error {
	if p.left--; p.left < 0 || depth == 0 {
		return errMailShape
	}
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		mediaType, params = "text/plain", nil // the standard's default for a missing or broken type
	}
	if strings.HasPrefix(mediaType, "multipart/") {
		return p.readMultipart(multipart.NewReader(body, params["boundary"]), depth)
	}
	into := map[string]*string{"text/plain": &p.text, "text/html": &p.html}[mediaType]
	if into == nil || *into != "" {
		return nil
	}
	*into, err = readText(body, encoding, params["charset"])
	return err
}

func (p *mailParts) readMultipart(reader *multipart.Reader, depth int) error {
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if disposition, _, _ := mime.ParseMediaType(part.Header.Get("Content-Disposition")); disposition == "attachment" {
			continue
		}
		err = p.read(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part, depth-1)
		if err != nil {
			return err
		}
	}
}

// readText decodes one part to UTF-8 with plain line ends. A part that violates its own encoding is replaced by a note, so that a
// person sees that it is broken.
func readText(body io.Reader, encoding, charsetLabel string) (string, error) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	var decoded io.Reader = strings.NewReader(string(raw))
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		decoded = base64.NewDecoder(base64.StdEncoding, decoded)
	case "quoted-printable":
		decoded = quotedprintable.NewReader(decoded)
	}
	if charsetLabel != "" && !strings.EqualFold(charsetLabel, "utf-8") {
		if decoded, err = charset.NewReaderLabel(charsetLabel, decoded); err != nil {
			return unreadable, nil //nolint:nilerr // an unknown charset is the sender's mistake, shown as such
		}
	}
	text, err := io.ReadAll(decoded)
	if err != nil || !utf8.Valid(text) {
		return unreadable, nil //nolint:nilerr // the same
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n"), nil
}

// readHTML returns the visible text and the web links of a document, without running any of it.
func readHTML(document string) (text string, links []string) {
	var b strings.Builder
	hidden := false
	tokens := html.NewTokenizer(strings.NewReader(document))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return b.String(), links
		case html.TextToken:
			if !hidden {
				b.Write(tokens.Text())
				b.WriteByte(' ')
			}
		case html.StartTagToken:
			token := tokens.Token()
			hidden = token.Data == "style" || token.Data == "script"
			for _, a := range token.Attr {
				if token.Data == "a" && a.Key == "href" && webLink(a.Val) {
					links = addLink(links, strings.TrimSpace(a.Val))
				}
			}
		case html.EndTagToken:
			hidden = false
		default: // comments and doctypes are not visible
		}
	}
}

func webLink(link string) bool {
	link = strings.ToLower(strings.TrimSpace(link))
	return strings.HasPrefix(link, "http://") || strings.HasPrefix(link, "https://")
}
