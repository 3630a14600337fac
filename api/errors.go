package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha/challenge"
	"usher/limits"
	"usher/overload"
	"usher/passwords"
	"usher/store"
	"usher/tokens"
	"usher/verify"
)

// Errors of this package that are not about the form of a body (see request.go).
var (
	errCrossOrigin   = errors.New("cross-origin request refused")
	errNotSignedIn   = errors.New("not signed in")
	errUnsigned      = errors.New("delivery reports are not signed")
	errCaptchaNeeded = errors.New("captcha is needed")
	errCaptchaGone   = errors.New("captcha was spent or has expired")
	errCaptchaUsed   = fmt.Errorf("%w: a request with it is in progress", errCaptchaGone)
	errCaptchaDone   = fmt.Errorf("%w: a request with it has succeeded", errCaptchaGone)
	errCaptchaWrong  = errors.New("wrong captcha")
	errCaptchaVendor = fmt.Errorf("%w: the vendor refuses its token", errCaptchaWrong)
	errCaptchaAway   = errors.New("the captcha's vendor cannot be asked")
	errCaptchaIsOff  = errors.New("captchas are off")
	errWaiting       = errors.New("account waits for the proof of its address, and the session has noted it")
	errRegistered    = errors.New("an earlier request with this captcha has registered the address")
	errPanic         = errors.New("endpoint panicked")
	errConsent       = errors.New("person has not agreed to the present terms")

	errAppKey     = errors.New("app key is missing or not valid")
	errAppOrigin  = errors.New("app key was sent by a browser")
	errAppScope   = errors.New("app key lacks the scope")
	errAppRegion  = errors.New("app may not send to this region")
	errProofSpent = errors.New("proof was redeemed before")
	errProofOther = errors.New("proof is of another verification")
	errProofNonce = errors.New("proof has another nonce")
)

// problem is a row of the table: an error and its answer.
type problem struct {
	err    error
	errno  string
	status int
	zh, en string
}

// problems is the only table from errors to answers. The numbers are part of the contract.
var problems = [...]problem{
	{errMalformed, "4103", http.StatusBadRequest, "请求格式有误", "The request is malformed."},
	{errUnknownField, "4103", http.StatusBadRequest, "请求中有未知或重复的字段", "The request has an unknown or repeated field."},
	{errTooLarge, "4103", http.StatusRequestEntityTooLarge, "请求内容过大", "The request is too large."},
	{errMediaType, "4103", http.StatusUnsupportedMediaType, "请求内容须为 UTF-8 编码的 JSON", "The request body must be JSON in UTF-8."},

	{errBadKey, "4103", http.StatusBadRequest, "Idempotency-Key 须为 8 到 128 个可见的 ASCII 字符", "The Idempotency-Key must be 8 to 128 visible ASCII characters."},
	{errOtherBody, "4103", http.StatusUnprocessableEntity, "这个 Idempotency-Key 已用于另一个内容不同的请求", "This Idempotency-Key was already used for a request with a different body."},
	{errRunning, "4206", http.StatusConflict, "这个请求正在处理中，请稍后再试", "This request is still being processed. Please try again shortly."},

	{echo.ErrNotFound, "4002", http.StatusNotFound, "未找到", "Not found."},
	{verify.ErrNotFound, "4002", http.StatusNotFound, "未找到", "Not found."},
	{echo.ErrMethodNotAllowed, "4005", http.StatusMethodNotAllowed, "不支持这种请求方法", "This method is not allowed here."},
	{errCrossOrigin, "4209", http.StatusForbidden, "请求被拒绝：来源不受信任", "The request was refused because its origin is not trusted."},

	{errNotSignedIn, "4101", http.StatusUnauthorized, "请先登录", "Please sign in."},
	{errUnsigned, "4101", http.StatusUnauthorized, "签名缺失、有误，或时间戳与服务器相差超过五分钟", "The signature is missing or wrong, or its timestamp is more than five minutes from the server's clock."},
	{errAppKey, "4401", http.StatusUnauthorized, "应用密钥缺失或无效", "The app key is missing or not valid."},
	{errAppOrigin, "4402", http.StatusForbidden, "应用密钥不能在浏览器中使用：请从你的服务器调用，并尽快更换这个密钥", "An app key must not be used in a browser. Call from your server, and replace this key soon."},
	{errAppScope, "4403", http.StatusForbidden, "这个应用密钥没有所需的权限", "This app key does not have the required scope."},
	{accounts.ErrProtected, "4105", http.StatusForbidden, "超级用户的账号受保护：应用不能操作它，超级用户不能操作自己的账号，最后一个超级用户也不能被停用", "The account of a superuser is protected: apps cannot change it, superusers cannot change their own here, and the last superuser stays."},
	{accounts.ErrNothingPending, "4002", http.StatusNotFound, "这个账号没有等待验证的邮箱", "This account has no address that waits for its proof."},
	{errAppRegion, "4406", http.StatusForbidden, "这个应用不能向该国家或地区发送验证码", "This app may not send codes to this country or region."},
	{errProofSpent, "4411", http.StatusConflict, "这个验证凭证已使用过", "This proof has already been redeemed."},
	{tokens.ErrAudience, "4413", http.StatusUnprocessableEntity, "这个验证凭证属于另一个应用", "This proof is for another app."},
	{tokens.ErrExpired, "4414", http.StatusUnprocessableEntity, "验证凭证已过期，请重新验证", "The proof has expired. Please verify again."},
	{errProofNonce, "4415", http.StatusUnprocessableEntity, "验证凭证与 nonce 不符", "The proof does not match the nonce."},
	{errProofOther, "4416", http.StatusUnprocessableEntity, "这个验证凭证属于另一次验证", "This proof is for another verification."},
	{tokens.ErrType, "4417", http.StatusUnprocessableEntity, "这不是验证凭证，而是另一种令牌", "This is not a proof but another kind of token."},
	{tokens.ErrTooLarge, "4412", http.StatusUnprocessableEntity, "验证凭证无效", "The proof is not valid."},
	{tokens.ErrMalformed, "4412", http.StatusUnprocessableEntity, "验证凭证无效", "The proof is not valid."},
	{tokens.ErrAlgorithm, "4412", http.StatusUnprocessableEntity, "验证凭证无效", "The proof is not valid."},
	{tokens.ErrUnknownKey, "4412", http.StatusUnprocessableEntity, "验证凭证无效", "The proof is not valid."},
	{tokens.ErrSignature, "4412", http.StatusUnprocessableEntity, "验证凭证无效", "The proof is not valid."},
	{tokens.ErrIssuer, "4412", http.StatusUnprocessableEntity, "验证凭证无效", "The proof is not valid."},
	{tokens.ErrEarly, "4412", http.StatusUnprocessableEntity, "验证凭证无效", "The proof is not valid."},

	{accounts.ErrCredentials, "4102", http.StatusUnauthorized, "账号或密码错误", "The account or password is incorrect."},
	{accounts.ErrNotFound, "4104", http.StatusNotFound, "账号不存在", "This account does not exist."},
	{accounts.ErrNotActive, "4104", http.StatusForbidden, "账号尚未激活，请查收激活邮件", "This account has not been activated yet. Please check your email for the activation link."},

	{accounts.ErrBlocked, "4209", http.StatusForbidden, "这个账号已被停用，如有疑问请联系客服", "This account has been blocked. Please contact support if you think this is a mistake."},

	{accounts.ErrSecondProof, "4210", http.StatusForbidden, "这个账号很久没有使用，它的手机号或邮箱可能已换了主人，不能只凭验证码登录。请用密码登录；如果手机号现在是你的，也可以用它注册新账号", "This account has not been used for a long time, and its number or address may now belong to someone else, so a code is not enough. Sign in with your password. If the number is yours now, you can also create a new account with it."},
	{accounts.ErrSignInAgain, "4210", http.StatusForbidden, "这个账号还没有密码。为了安全，请用验证码重新登录，并在 15 分钟内完成修改", "This account has no password yet. For your security, please sign in again with a code and make the change within 15 minutes."},
	{errConsent, "4211", http.StatusForbidden, "请先同意最新的条款", "Please agree to the updated terms first."},
	{accounts.ErrNamed, "4003", http.StatusConflict, "这个账号已有用户名，不能修改", "This account already has a username, which cannot be changed."},
	{accounts.ErrRecentlyChanged, "4209", http.StatusForbidden, "这个手机号或邮箱是三天内新绑定的，暂时不能用来重置密码", "This number or address was added to the account within the last three days and cannot be used to reset the password yet."},
	{accounts.ErrNothingToUndo, "4002", http.StatusNotFound, "过去三天内没有可用这个手机号撤销的更改", "There is no change from the last three days that this number can undo."},

	{accounts.ErrChanged, "4004", http.StatusConflict, "账号刚刚在别处有更改，请刷新后重试", "The account was just changed elsewhere. Please reload the page and try again."},

	{errCaptchaGone, "4201", http.StatusUnprocessableEntity, "图形验证码已过期，请换一张", "The captcha has expired. Please get a new one."},
	{errCaptchaVendor, "4202", http.StatusUnprocessableEntity, "验证未通过，请重新验证", "The verification was not successful. Please try again."},
	{errCaptchaAway, "4202", http.StatusUnprocessableEntity, "验证服务暂时不可用，请改用图形验证码", "The verification service is unavailable right now. Please complete the captcha shown instead."},
	{errCaptchaWrong, "4202", http.StatusUnprocessableEntity, "图形验证码错误", "The captcha answer is incorrect."},
	{errCaptchaNeeded, "4202", http.StatusUnprocessableEntity, "请填写图形验证码", "Please complete the captcha."},
	{errTokensOff, "4002", http.StatusNotFound, "令牌未启用：请运维人员设置 USHER_TOKEN_KEYS", "Tokens are not enabled. The operator has to set USHER_TOKEN_KEYS."},
	{errCaptchaIsOff, "4002", http.StatusNotFound, "图形验证码未启用", "Captchas are turned off."},
	{verify.ErrUsed, "4203", http.StatusUnprocessableEntity, "这个验证码刚刚已被使用。如果你连续提交了两次，第一次可能已经成功；否则请重新获取", "This code has just been used. If you submitted the form twice, the first attempt may have succeeded; otherwise, request a new code."},
	{verify.ErrResent, "4203", http.StatusUnprocessableEntity, "这个验证码不能再次发送，请重新获取", "This code cannot be sent again. Please request a new one."},
	{verify.ErrExpired, "4203", http.StatusUnprocessableEntity, "验证码已过期，请重新获取", "The code has expired. Please request a new one."},
	{verify.ErrWrong, "4204", http.StatusUnprocessableEntity, "验证码错误", "The code is incorrect."},
	{verify.ErrAttempts, "4205", http.StatusUnprocessableEntity, "错误次数过多，请重新获取验证码", "Too many incorrect codes. Please request a new one."},
	{accounts.ErrLinkExpired, "4207", http.StatusUnprocessableEntity, "激活链接已过期，请重新获取", "The activation link has expired. Please request a new one."},
	{accounts.ErrUndoOver, "4207", http.StatusUnprocessableEntity, "撤销链接已过期或已被使用", "The link has expired or has already been used."},
	{accounts.ErrUndoLink, "4208", http.StatusUnprocessableEntity, "撤销链接无效", "The link is invalid."},
	{accounts.ErrLinkAlone, "4210", http.StatusForbidden, "请先登录这个账号，或填写它的当前密码，再验证邮箱", "To verify this address, sign in to the account or enter its current password."},
	{verify.ErrLink, "4208", http.StatusUnprocessableEntity, "链接无效", "The link is invalid."},
	{accounts.ErrLinkInvalid, "4208", http.StatusUnprocessableEntity, "激活链接无效", "The activation link is invalid."},

	{verify.ErrQueue, "4301", http.StatusServiceUnavailable, "验证码暂时无法发送，请稍后再试", "Codes cannot be sent right now. Please try again later."},
	{passwords.ErrBusy, "4301", http.StatusServiceUnavailable, "系统繁忙，请稍后再试", "The service is busy. Please try again later."},
}

// Problems of errors with further data.
var (
	badFields      = problem{errno: "4103", status: http.StatusUnprocessableEntity, zh: "请检查填写的内容", en: "Please check the information you entered."}
	badBody        = problem{errno: "4103", status: http.StatusBadRequest, zh: "请求格式有误", en: "The request is malformed."}
	registered     = problem{errno: "4003", status: http.StatusConflict, zh: "注册已经成功，请直接登录", en: "You have already signed up. Please sign in."}
	exists         = problem{errno: "4003", status: http.StatusConflict, zh: "已被注册", en: "This is already registered."}
	password       = problem{errno: "4106", status: http.StatusUnprocessableEntity, zh: "密码错误", en: "The password is incorrect."}
	tooSoon        = problem{errno: "4206", status: http.StatusTooManyRequests, zh: "操作过于频繁，请稍后再试", en: "Too many requests. Please try again later."}
	appTooFast     = problem{errno: "4404", status: http.StatusTooManyRequests, zh: "这个应用的请求过于频繁，请稍后再试", en: "This app sends too many requests. Please try again later."}
	appOverBudget  = problem{errno: "4405", status: http.StatusTooManyRequests, zh: "这个应用的短信预算已用完", en: "This app has used up its budget for codes by SMS."}
	databaseAway   = problem{errno: "4001", status: http.StatusServiceUnavailable, zh: "服务暂时不可用，请稍后再试", en: "The service is temporarily unavailable. Please try again later."}
	dependencyAway = problem{errno: "4301", status: http.StatusServiceUnavailable, zh: "系统繁忙，请稍后再试", en: "The service is busy. Please try again later."}
	cheap          = problem{errno: "4202", status: http.StatusUnprocessableEntity, zh: "当前请求异常频繁，请完成更难的验证", en: "There are unusually many requests right now. Please complete a harder captcha."}
	internal       = problem{errno: "4500", status: http.StatusInternalServerError, zh: "服务器内部错误", en: "Something went wrong on our side."}
)

// describe returns the answer to an error in a language. An error that is not in the table is a bug of ours.
func describe(err error, lang string) reply {
	var (
		fields accounts.FieldErrors
		body   *bodyError
		taken  *accounts.ExistsError
		before *accounts.RegisteredError
		wrong  *accounts.PasswordError
		limit  *verify.LimitError
		price  *cheapError
		busy   *overload.Refused
	)
	switch {
	case errors.As(err, &fields):
		return badFields.in(lang).about(fields, lang)
	case errors.As(err, &body):
		return badBody.in(lang).about(accounts.FieldErrors{body.field: body.problem}, lang)
	case errors.As(err, &before):
		return registered.in(lang).about(accounts.FieldErrors{before.Field: canSignIn}, lang)
	case errors.Is(err, errRegistered):
		return registered.in(lang).about(accounts.FieldErrors{accounts.FieldEmail: isRegistered}, lang)
	case errors.As(err, &taken):
		return exists.in(lang).about(accounts.FieldErrors{taken.Field: isTaken}, lang)
	case errors.As(err, &wrong):
		return password.in(lang).about(accounts.FieldErrors{wrong.Field: isWrong}, lang)
	case errors.Is(err, errWaiting):
		r := describe(accounts.ErrNotActive, lang)
		r.waiting = true
		return r
	case errors.As(err, &limit):
		r := limitProblem(limit).in(lang)
		r.retryAfter = limit.RetryAfter
		return r
	case errors.As(err, &price):
		r := cheap.in(lang)
		r.price = price.wanted
		return r
	case errors.As(err, &busy):
		r := dependencyAway.in(lang)
		r.retryAfter = busy.RetryAfter
		return r
	}
	for _, p := range problems {
		if errors.Is(err, p.err) {
			r := p.in(lang)
			if p.err == errCaptchaAway { //nolint:errorlint // a row of the table
				r.medium = challenge.Image
			}
			return r
		}
	}
	if p, away := outage(err); away {
		return p.in(lang)
	}
	return internal.in(lang)
}

// limitProblem returns the answer when a limit has refused. Those of apps have numbers of their own: their developers must see whether to
// slow down, or to ask for more money.
func limitProblem(limit *verify.LimitError) problem {
	switch limits.Name(limit.Name) {
	case limits.AppRate:
		return appTooFast
	case limits.AppBudgetDay:
		return appOverBudget
	default:
		return tooSoon
	}
}

func (p problem) in(lang string) reply {
	r := reply{problem: p, sentence: p.zh}
	if lang == english {
		r.sentence = p.en
	}
	return r
}

// about adds a sentence for each refused field.
func (r reply) about(fields accounts.FieldErrors, lang string) reply {
	r.fields = make(map[string]string, len(fields))
	for field, problem := range fields {
		r.fields[string(field)] = sentence(field, problem, lang)
	}
	return r
}

// outage recognises an unavailable store, and a request that took too long: neither is a bug of ours. The stores classify
// the errors of databases and Redis.
func outage(err error) (problem, bool) {
	switch o := store.AsOutage(err); {
	case o != nil && o.Of == store.Database:
		return databaseAway, true
	case o != nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return dependencyAway, true
	}
	return problem{}, false
}
