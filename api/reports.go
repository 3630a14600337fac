package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/reports"
)

// maxReports bounds a body of delivery reports: vendors gather them.
const maxReports = 1 << 20

// Reports takes delivery reports.
type Reports interface {
	// Take files a provider's batch. After an error the vendor must be made to come again with it.
	Take(ctx context.Context, provider string, batch reports.Batch) error
}

// takeReports takes what a vendor pushes, in its own form, and answers with what it expects to hear.
// Refusals come in our envelope: vendors look at the status alone. A vendor signs nothing, so the path has
// a secret; whoever lacks it finds nothing here, as if there were no such path.
func (s *Server) takeReports(c echo.Context) error {
	format, known := reports.FormatOf(c.Param("provider"))
	if !s.isReportSecret(c.Param("secret")) || !known {
		return echo.ErrNotFound
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxReports))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case err != nil:
		return errMalformed
	}
	batch, err := format.Parse(body)
	if err != nil {
		return errMalformed
	}
	if err := s.Reports.Take(c.Request().Context(), format.Provider, batch); err != nil {
		return err
	}
	return c.Blob(http.StatusOK, format.ContentType, []byte(format.Accepted))
}

// isReportSecret compares in constant time. Without a secret in the settings nothing is one.
func (s *Server) isReportSecret(given string) bool {
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.Config.ReportSecret))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && s.Config.ReportSecret != ""
}
