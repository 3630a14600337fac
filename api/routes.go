package api

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// routes is the table of contents of the HTTP face.
func (s *Server) routes(e *echo.Echo) {
	get := func(path string, endpoint echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, endpoint)
	}

	e.POST("/v1/captchas", s.createCaptcha)
	e.POST("/v1/captchas/:id/check", s.checkCaptcha)

	e.POST("/v1/sms-codes", s.once(http.StatusAccepted, s.sendCode))
	e.POST("/v1/sms-codes/check", s.checkCode)
	get("/v1/sms-codes/:id", s.codeStatus)

	e.POST("/v1/reports/:provider/:secret", s.takeReports)

	get("/v1/usernames/:username", s.countUsername)
	get("/v1/mobiles/:mobile", s.countMobile)
	e.POST("/v1/registrations", s.once(http.StatusCreated, s.register))
	e.POST("/v1/activations", s.activate)
	e.POST("/v1/activations/resend", s.resendActivation)
	e.POST("/v1/activations/decline", s.declineActivation)

	e.POST("/v1/sessions", s.signIn)
	get("/v1/sessions", s.listSessions)
	e.DELETE("/v1/sessions", s.endOtherSessions)
	e.DELETE("/v1/sessions/:id", s.endSessionByID)
	get("/v1/sessions/current", s.currentSession)
	e.DELETE("/v1/sessions/current", s.signOut)
	e.POST("/v1/password-resets", s.resetPassword)

	e.PUT("/v1/account/password", s.changePassword)
	e.PUT("/v1/account/email", s.changeEmail)
	e.PUT("/v1/account/mobile", s.changeMobile)

	e.POST("/v1/account-changes/undo", s.undoChange)

	get("/openapi.yaml", openAPI)
	get("/docs", docs)

	get("/", home)
	get("/register", s.registerPage)
	e.POST("/register", s.registerForm)
	get("/login", s.loginPage)
	e.POST("/login", s.loginForm)
	get("/forgot", s.forgotPage)
	e.POST("/forgot", s.forgotForm)
	get("/activate", s.activatePage)
	e.POST("/activate", s.activateForm)
	get("/undo", s.undoPage)
	e.POST("/undo", s.undoForm)
	get("/decline", s.declinePage)
	e.POST("/decline", s.declineForm)
	get("/account", s.accountPage)
	e.POST("/account", s.accountForm)
	e.POST("/logout", s.logoutForm)
	get("/static/:file", s.static())
}
