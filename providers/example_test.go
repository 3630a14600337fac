package providers_test

import (
	"context"
	"fmt"
	"log/slog"

	"usher/contact"
	"usher/providers"
)

// vendorFunc is a sender made of one function.
type vendorFunc struct {
	name string
	send func(sms providers.SMS) error
}

func (v vendorFunc) Name() string { return v.name }

func (v vendorFunc) SendSMS(_ context.Context, sms providers.SMS) (providers.Receipt, error) {
	if err := v.send(sms); err != nil {
		return providers.Receipt{}, err
	}
	return providers.Receipt{Provider: v.name, ID: "id-of-" + v.name}, nil
}

// A router asks the preferred provider first. It goes on to the next one only when the message was certainly not sent.
func ExampleRouter() {
	router := &providers.Router{
		Senders: []providers.SMSSender{
			vendorFunc{"first", func(providers.SMS) error {
				return &providers.Error{Provider: "first", Kind: providers.Temporary, Code: "busy"}
			}},
			vendorFunc{"second", func(providers.SMS) error { return nil }},
		},
		Count:  func(provider string, decision providers.Decision) { fmt.Println(provider, decision) },
		Logger: slog.New(slog.DiscardHandler),
	}
	to, err := contact.ParseMobile("13800138000")
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := router.SendSMS(context.Background(), providers.SMS{ID: "message-1", Attempt: 1, To: to, Code: "012345"})
	fmt.Println(receipt.Provider, receipt.ID, err)
	// Output:
	// first temporary
	// second failover
	// second id-of-second <nil>
}

// The kind of an error says what may follow, whichever vendor refused.
func ExampleKindOf() {
	err := fmt.Errorf("send: %w", &providers.Error{Provider: "aliyun", Kind: providers.Rejected, Code: "isv.MOBILE_NUMBER_ILLEGAL"})
	fmt.Println(err)
	fmt.Println(providers.KindOf(err), providers.KindOf(context.DeadlineExceeded))
	// Output:
	// send: aliyun: rejected: isv.MOBILE_NUMBER_ILLEGAL
	// rejected unknown
}
