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

// maxReports bounds a body of delivery reports, which vendors send in batches, in bytes.
const maxReports = 1 << 20

// Reports takes delivery reports.
type Reports interface {
	// Take stores a provider's batch. After an error the answer must make the vendor push it again.
	Take(ctx context.Context, provider string, batch reports.Batch) error
}

// takeReports accepts what a vendor pushes, in the vendor's form, and sends the answer that the vendor expects. Refusals use
// our envelope: vendors read only the status. Vendors do not sign reports, so the path contains a secret; without it the
// answer is that of a path that does not exist.
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

// isReportSecret compares in constant time. It is always false when no secret is configured.
func (s *Server) isReportSecret(given string) bool {
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.Config.ReportSecret))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && s.Config.ReportSecret != ""
}
