package sandbox_test

import (
	"context"
	"fmt"
	"net/http"

	"usher/sandbox"
)

// A test starts the sandbox on ports of the kernel's choice and points its own client at it.
func ExampleOpen() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	server, err := sandbox.Open(ctx, sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + server.HTTPAddr() + "/api/messages")
	if err != nil {
		fmt.Println(err)
		return
	}
	response.Body.Close()
	fmt.Println(response.StatusCode, len(server.Messages("")), "messages")

	cancel()
	fmt.Println(<-done)
	// Output:
	// 200 0 messages
	// <nil>
}

// A fault refuses the next send; the client under test has to cope with it.
func ExampleServer_SetFaults() {
	server, err := sandbox.Open(context.Background(), sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()
	err = server.SetFaults(sandbox.Faults{Aliyun: &sandbox.Fault{Code: "isv.AMOUNT_NOT_ENOUGH", Count: 1}})
	fmt.Println(server.Faults().Aliyun.Code, err)
	fmt.Println(server.SetFaults(sandbox.Faults{SMTP: &sandbox.Fault{Status: 503}}))
	// Output:
	// isv.AMOUNT_NOT_ENOUGH <nil>
	// smtp: status is for HTTP, use code
}
