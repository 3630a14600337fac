package providers

// Receipt says that a provider accepted a message. It does not say that the person got it.
type Receipt struct {
	Provider string
	ID       string // the provider's id, such as Aliyun's BizId; empty where it gives none
}
