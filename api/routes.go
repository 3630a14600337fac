package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/apps"
	"usher/verify"
)

// Paths of forward-auth. The second is for proxies that add the client's path to ours, such as Envoy.
const (
	forwardAuthPath  = "/v1/auth"
	forwardAuthBelow = forwardAuthPath + "/envoy/*"
)

// routes is the table of contents of the HTTP face.
func (s *Server) routes(e *echo.Echo) {
	get := getting(e)
	for _, path := range []string{forwardAuthPath, forwardAuthBelow} {
		e.RouteNotFound(path, s.forwardAuth) // of every method, also one that Echo does not know
	}

	e.POST("/v1/captchas", endpoint(http.StatusCreated, s.createCaptcha))
	e.POST("/v1/captchas/:id/check", endpoint(http.StatusOK, withBody(s.checkCaptcha)))

	e.POST("/v1/sms-codes", s.once(http.StatusAccepted, withBody(s.issueCode)))
	e.POST("/v1/sms-codes/check", endpoint(http.StatusOK, withBody(s.checkCode)))
	e.POST("/v1/sms-codes/:id/resend", s.once(http.StatusAccepted, withBody(s.resendCode)))
	get("/v1/sms-codes/:id", endpoint(http.StatusOK, withoutBody(s.codeStatus)))

	e.POST("/v1/email-codes", s.once(http.StatusAccepted, withBody(s.issueEmailCode)))
	e.POST("/v1/email-codes/check", endpoint(http.StatusOK, withBody(s.checkEmailCode)))
	get("/v1/email-codes/:id", endpoint(http.StatusOK, withoutBody(s.codeStatus)))

	s.appRoutes(e)

	e.POST("/v1/reports/http", s.takeSignedReports)
	e.POST("/v1/reports/:provider/:secret", s.takeReports)

	get("/v1/usernames/:username", endpoint(http.StatusOK, withoutBody(s.countUsername)))
	get("/v1/mobiles/:mobile", endpoint(http.StatusOK, withoutBody(s.countMobile)))
	e.POST("/v1/registrations", s.once(http.StatusCreated, withBody(s.signUp)))
	e.POST("/v1/activations", endpoint(http.StatusOK, withBody(s.activate)))
	e.POST("/v1/activations/resend", endpoint(http.StatusAccepted, withBody(s.resend)))
	e.POST("/v1/activations/correct", endpoint(http.StatusAccepted, withBody(s.correctEmail)))
	e.POST("/v1/activations/decline", endpoint(http.StatusOK, withBody(s.decline)))

	e.POST("/v1/sessions", endpoint(http.StatusCreated, withBody(s.signIn)))
	get("/v1/sessions", endpoint(http.StatusOK, withoutBody(s.listSessions)))
	e.DELETE("/v1/sessions", endpoint(http.StatusOK, withoutBody(s.endOtherSessions)))
	e.DELETE("/v1/sessions/:id", endpoint(http.StatusOK, withoutBody(s.endSessionByID)))
	get("/v1/sessions/current", endpoint(http.StatusOK, withoutBody(s.current)))
	e.DELETE("/v1/sessions/current", endpoint(http.StatusOK, withoutBody(s.signOut)))
	e.POST("/v1/sessions/current/token", endpoint(http.StatusOK, withBody(s.createToken)))
	e.POST("/v1/sessions/current/rotate", endpoint(http.StatusOK, withoutBody(s.rotate)))
	e.POST("/v1/password-resets", endpoint(http.StatusOK, withBody(s.resetPassword)))

	e.PUT("/v1/account/password", endpoint(http.StatusOK, withBody(s.changePassword)))
	e.PUT("/v1/account/username", endpoint(http.StatusOK, withBody(s.setUsername)))
	e.PUT("/v1/account/email", endpoint(http.StatusOK, withBody(s.changeEmail)))
	e.PUT("/v1/account/mobile", endpoint(http.StatusOK, withBody(s.changeMobile)))

	e.POST("/v1/account/export", endpoint(http.StatusOK, withBody(s.export)))
	e.POST("/v1/account/deletion", endpoint(http.StatusOK, withBody(s.requestDeletion)))
	get("/v1/account/consents", endpoint(http.StatusOK, withoutBody(s.listConsents)))
	e.POST("/v1/account/consents", endpoint(http.StatusOK, withBody(s.agree)))
	e.DELETE("/v1/account/consents/:document", endpoint(http.StatusOK, withoutBody(s.withdrawConsent)))

	e.POST("/v1/account-changes/undo", endpoint(http.StatusOK, withBody(s.undo)))

	get("/.well-known/jwks.json", s.keySet)
	get("/.well-known/change-password", changePassword)
	get("/.well-known/security.txt", s.securityTxt)
	get("/robots.txt", robots)
	get("/favicon.ico", s.icon(s.Web.IconURL()))
	get("/apple-touch-icon.png", s.icon(s.Web.TouchIconURL()))
	get("/openapi.yaml", openAPI)
	get("/docs", docs)

	s.pageRoutes(e)
}

// getting returns what registers a handler for GET and HEAD.
func getting(e *echo.Echo) func(path string, handler echo.HandlerFunc) {
	return func(path string, handler echo.HandlerFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, handler)
	}
}

// appRoutes are for services that have a key.
func (s *Server) appRoutes(e *echo.Echo) {
	get := getting(e)
	e.POST("/v1/verifications", s.forApp(apps.VerifyStart, s.once(http.StatusCreated, withBody(s.startVerification))))
	get("/v1/verifications/:id", s.forApp(apps.VerifyCheck, endpoint(http.StatusOK, withoutBody(s.verificationStatus))))
	e.POST("/v1/verifications/:id/check", s.forApp(apps.VerifyCheck, s.once(http.StatusOK, withBody(s.checkVerification))))
	e.POST("/v1/verifications/:id/redeem", s.forApp(apps.VerifyCheck, s.once(http.StatusOK, withBody(s.redeemVerification))))
	e.DELETE("/v1/verifications/:id", s.forApp(apps.VerifyStart, endpoint(http.StatusOK, withoutBody(s.cancelVerification))))

	get("/v1/admin/accounts", s.readAccounts(withoutBody(s.adminAccounts)))
	e.POST("/v1/admin/accounts/look-up", s.readAccounts(withBody(s.adminLookUp)))
	get("/v1/admin/accounts/:id", s.readAccounts(withoutBody(s.adminAccount)))
	get("/v1/admin/accounts/:id/messages", s.readAccounts(withoutBody(s.adminMessages)))
	get("/v1/admin/accounts/:id/sessions", s.readAccounts(withoutBody(s.adminSessions)))
	get("/v1/admin/accounts/:id/audit", s.readAccounts(withoutBody(s.adminAudit)))
	e.POST("/v1/admin/accounts/:id/block", s.writeAccounts(withBody(s.adminChange((*accounts.Administration).Block))))
	e.POST("/v1/admin/accounts/:id/unblock", s.writeAccounts(withBody(s.adminChange((*accounts.Administration).Unblock))))
	e.POST("/v1/admin/accounts/:id/end-sessions", s.writeAccounts(withBody(s.adminChange((*accounts.Administration).EndSessions))))
	e.POST("/v1/admin/accounts/:id/erase", s.writeAccounts(withBody(s.adminErase)))
	e.POST("/v1/admin/accounts/:id/resend", s.writeAccounts(withBody(s.adminResend)))
}

// pageRoutes are for browsers.
func (s *Server) pageRoutes(e *echo.Echo) {
	get := getting(e)
	get("/", home)
	for _, page := range []string{"register", "forgot", "activate", "undo", "decline"} {
		get("/"+page, s.showForm(page))
	}
	get("/login", s.showLogin)
	e.POST("/register", handleForm(s, "register", verify.Register, s.registerForm))
	e.POST("/login", handleForm(s, "login", verify.Login, s.loginForm))
	e.POST("/forgot", handleForm(s, "forgot", verify.ResetPassword, s.forgotForm))
	e.POST("/activate", handleForm(s, "activate", "", s.activateForm))
	e.POST("/undo", handleForm(s, "undo", verify.UndoChange, s.undoForm))
	e.POST("/decline", handleForm(s, "decline", "", s.declineForm))
	get("/check-mail", s.showCheckMail)
	e.POST("/check-mail", s.checkMailForm)
	get("/code", s.showCode)
	e.POST("/code", s.codeForm)
	get("/account", s.accountPage)
	e.POST("/account", s.accountForm)
	e.POST("/logout", s.logoutForm)
	get(adminPath, s.forSuperuser(s.adminList))
	e.POST(adminPath, s.forSuperuser(s.adminSearch))
	get(adminAccountPath+":id", s.forSuperuser(s.adminShow))
	e.POST(adminAccountPath+":id", s.forSuperuser(s.adminAct))
	get(framePath, s.captchaFrame)
	get("/static/:file", s.static())
}
