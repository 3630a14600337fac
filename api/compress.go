package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// What is compressed, and why nothing else is: when an answer has a secret beside a text that an attacker chooses, its compressed length
// tells how alike they are (BREACH). So files that are the same for all are compressed once, and an answer that is made for a request is
// compressed only when the request carries nothing of a person: then the attacker could as well ask for it himself.

// worthwhile is the size in bytes from which an answer is compressed: a smaller one fits into one packet anyway.
const worthwhile = 1400

// compressed compresses pages and captchas for requests that carry nothing of a person.
func compressed() echo.MiddlewareFunc {
	return middleware.GzipWithConfig(middleware.GzipConfig{
		Skipper:   func(c echo.Context) bool { return !isImpersonal(c) },
		Level:     gzip.BestSpeed,
		MinLength: worthwhile,
	})
}

// impersonal are the routes whose answers are worth it.
var impersonal = []string{"/register", "/login", "/forgot", "/v1/captchas"}

// harmlessCookies are those that say nothing about a person.
var harmlessCookies = []string{languageCookie, nextCookie}

// isImpersonal reports whether the answer may be compressed: the request has no credential, no cookie of a person, no token in its query, and
// nothing typed.
func isImpersonal(c echo.Context) bool {
	r := c.Request()
	if !slices.Contains(impersonal, c.Path()) || r.Method != http.MethodGet && c.Path() != "/v1/captchas" || r.Header.Get(echo.HeaderAuthorization) != "" {
		return false
	}
	if r.URL.RawQuery != "" && c.QueryParams().Has("token") {
		return false
	}
	return !slices.ContainsFunc(r.Cookies(), func(cookie *http.Cookie) bool { return !slices.Contains(harmlessCookies, cookie.Name) })
}

// acceptsGzip reports whether the client takes an answer in gzip. It reads no weights but the one that refuses.
func acceptsGzip(r *http.Request) bool {
	for _, value := range r.Header.Values(echo.HeaderAcceptEncoding) {
		for coding := range strings.SplitSeq(value, ",") {
			name, weight, _ := strings.Cut(strings.ToLower(coding), ";")
			if strings.TrimSpace(name) == "gzip" {
				return strings.Trim(strings.TrimPrefix(strings.TrimSpace(weight), "q="), "0.") != "" || strings.TrimSpace(weight) == ""
			}
		}
	}
	return false
}

// document is an answer that is the same for all.
type document struct {
	content, packed []byte // packed is nil where it would not be smaller
	kind, etag      string
}

func newDocument(kind string, content []byte) document {
	d := document{content: content, kind: kind}
	sum := sha256.Sum256(content)
	d.etag = hex.EncodeToString(sum[:8])
	if strings.HasPrefix(kind, "image/png") || len(content) < worthwhile {
		return d
	}
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // a level that exists
	_, _ = w.Write(content)                                 // nothing that is written to memory fails
	if _ = w.Close(); out.Len() < len(content) {
		d.packed = out.Bytes()
	}
	return d
}

// serve answers with the document, packed where the client takes that, or says that the client's copy is current.
func (d document) serve(c echo.Context) error {
	h, content, etag := c.Response().Header(), d.content, d.etag
	h.Set(echo.HeaderContentType, d.kind)
	if d.packed != nil {
		h.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
		if acceptsGzip(c.Request()) {
			content, etag = d.packed, d.etag+"-gzip"
			h.Set(echo.HeaderContentEncoding, "gzip")
		}
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(content))
	return nil
}

// kindOf is the type of a file by the ending of its name.
func kindOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}
