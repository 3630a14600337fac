package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"

	"github.com/labstack/echo/v4"
)

// The contract, and a page for it that a test generates from it.
var (
	//go:embed openapi.yaml
	openAPIText []byte
	//go:embed docs.html
	docsPage []byte
)

func openAPI(c echo.Context) error { return c.Blob(http.StatusOK, "application/yaml", openAPIText) }

// docs allows the page its one style sheet and nothing else: no script, nothing from elsewhere.
func docs(c echo.Context) error {
	c.Response().Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src '"+styleHash(docsPage)+"'; base-uri 'none'; frame-ancestors 'none'")
	return c.HTMLBlob(http.StatusOK, docsPage)
}

// styleHash names the page's style sheet as a Content-Security-Policy does.
func styleHash(page []byte) string {
	_, rest, _ := bytes.Cut(page, []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	sum := sha256.Sum256(style)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
