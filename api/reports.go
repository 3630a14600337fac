package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/reports"
	"usher/webhooks"
)

// maxReports bounds a body of delivery reports, which vendors send in batches, in bytes.
const maxReports = 1 << 20

// Reports takes delivery reports.
type Reports interface {
	// Take stores a provider's batch. After an error the answer must make the vendor push it again.
	Take(ctx context.Context, provider string, batch reports.Batch) error

	// TakeOnce is Take for a push that has an id: a push of an id that was taken changes nothing.
	TakeOnce(ctx context.Context, provider, id string, batch reports.Batch) error
}

// takeReports accepts what a vendor pushes, in the vendor's form, and sends the answer that the vendor expects. Refusals use
// our envelope: vendors read only the status. Vendors do not sign reports, so the path contains a secret; without it the
// answer is that of a path that does not exist.
func (s *Server) takeReports(c echo.Context) error {
	format, known := reports.FormatOf(c.Param("provider"))
	if !s.isReportSecret(c.Param("secret")) || !known {
		return echo.ErrNotFound
	}
	body, err := readReports(c)
	if err != nil {
		return err
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

type signedReportsView struct {
	Accepted int `json:"accepted"` // reports, of messages that are known or not
	Skipped  int `json:"skipped"`  // entries that cannot be read
}

// takeSignedReports accepts what the receiver of the signed HTTP sender pushes. It accepts nothing when no secret is configured.
func (s *Server) takeSignedReports(c echo.Context) error {
	if s.Config.ReportKeys.IsZero() {
		return echo.ErrNotFound
	}
	header := c.Request().Header
	if err := webhooks.Fresh(header, s.Now()); err != nil {
		return fmt.Errorf("%w: %w", errUnsigned, err)
	}
	body, err := readReports(c)
	if err != nil {
		return err
	}
	id, err := s.Config.ReportKeys.Verify(header, body, s.Now())
	if err != nil {
		return fmt.Errorf("%w: %w", errUnsigned, err)
	}
	batch, err := reports.ParseHTTP(body)
	if err != nil {
		return errMalformed
	}
	if err := s.Reports.TakeOnce(c.Request().Context(), reports.HTTP, id, batch); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, signedReportsView{len(batch.Reports), batch.Skipped})
}

// readReports reads a bounded body.
func readReports(c echo.Context) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxReports))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, errMalformed
	}
	return body, nil
}

// isReportSecret compares in constant time. It is always false when no secret is configured.
func (s *Server) isReportSecret(given string) bool {
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.Config.ReportSecret))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && s.Config.ReportSecret != ""
}
