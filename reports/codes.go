package reports

import "cmp"

// Cause is where to look for the reason when messages do not arrive.
type Cause string

// The causes.
const (
	CauseNumber    Cause = "number"    // this number or handset: the person needs another way
	CauseFrequency Cause = "frequency" // too many messages to this number
	CauseContent   Cause = "content"   // a filter: check the template when it happens often
	CauseAccount   Cause = "account"   // route, sign name or permission: no message arrives until it is corrected
	CauseCarrier   Cause = "carrier"   // a temporary fault of the carrier
	CauseUnlisted  Cause = "unlisted"  // a code that is not in the table
)

// aliyunWaits is the code of a report that the carrier has not answered yet.
const aliyunWaits = "REQUEST_SUCCESS"

// aliyunCauses are those of both of Aliyun's products.
var aliyunCauses = map[string]Cause{
	"MOBILE_NOT_ON_SERVICE":   CauseNumber,    // 停机、空号、暂停服务、关机、不在服务区: off, unused or out of reach
	"MOBILE_ACCOUNT_ABNORMAL": CauseNumber,    // 用户账户异常、携号转网或欠费等: in arrears, or moved to another carrier
	"INVALID_NUMBER":          CauseNumber,    // 号码状态异常，如关机、停机、空号: the number is in a wrong state
	"MOBLLE_TERMINAL_ERROR":   CauseNumber,    // 手机终端问题，内存满、SIM卡满、非法设备等: handset full or faulty; the vendor's spelling
	"MOBILE_IN_BLACK":         CauseNumber,    // 手机号在黑名单: on a blacklist of the platform or the carrier
	"USER_REJECT":             CauseNumber,    // 接收用户已退订此业务或产品未开通: opted out
	"MOBILE_SEND_LIMIT":       CauseFrequency, // 单个号码日或月发送上限，或流控、频繁或重复超限
	"CONTENT_KEYWORD":         CauseContent,   // 内容关键字拦截: a filtered word
	"CONTENT_ERROR":           CauseContent,   // 推广短信内容中必须带退订信息
	"NO_ROUTE":                CauseAccount,   // 当前短信内容无可用通道发送
	"PORT_NOT_REGISTERED":     CauseAccount,   // 该签名的实名报备未完成: the sign name is not registered with the carrier
	"SP_NOT_BY_INTER_SMS":     CauseAccount,   // 收件人未开通国际短信接收功能
	"IS_CLOSE":                CauseCarrier,   // 短信通道被关停，将自动切换通道
	"SP_UNKNOWN_ERROR":        CauseCarrier,   // 运营商未知错误
}

// carrierStates are those of CMPP and SMPP; carriers add codes of their own, such as MK:0012.
var carrierStates = map[string]Cause{
	"EXPIRED": CauseNumber,  // could not be delivered in time: off or out of reach
	"DELETED": CauseCarrier, // deleted on its way
	"UNDELIV": CauseNumber,  // cannot be delivered
	"ACCEPTD": CauseCarrier, // accepted, and no further state came
	"UNKNOWN": CauseCarrier, // the carrier does not know
	"REJECTD": CauseContent, // refused by the carrier
}

// causes is the meaning of each vendor's code of an undelivered message. The comments quote the vendor.
var causes = map[string]map[string]Cause{
	Aliyun:       aliyunCauses,
	AliyunVerify: aliyunCauses,
	Ronglian:     carrierStates,
	Tencent:      carrierStates,
}

// CauseOf returns the cause that a code of an undelivered message stands for, or [CauseUnlisted].
func CauseOf(provider, code string) Cause {
	return cmp.Or(causes[provider][code], CauseUnlisted)
}
