// Command tencent sends a message with the vendor's own SDK and asks for its outcome. It is a module of its own, so that the SDK
// is no dependency of ours.
//
//	go run . HOST:PORT SECRET-ID SECRET-KEY APP NUMBER
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	sdkerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	sms "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/sms/v20210111"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func open(address, id, key string) (*sms.Client, error) {
	settings := profile.NewClientProfile()
	settings.HttpProfile.Endpoint, settings.HttpProfile.Scheme = address, "HTTP"
	return sms.NewClient(common.NewCredential(id, key), "ap-guangzhou", settings)
}

func run(address, id, key, app, number string) error {
	client, err := open(address, id, key)
	if err != nil {
		return err
	}
	send := sms.NewSendSmsRequest()
	send.SmsSdkAppId, send.SignName, send.TemplateId = &app, common.StringPtr("腾讯云"), common.StringPtr("71390001")
	send.PhoneNumberSet, send.TemplateParamSet = []*string{&number}, common.StringPtrs([]string{"012345", "5"})
	sent, err := client.SendSms(send)
	if err != nil {
		return err
	}
	status := sent.Response.SendStatusSet[0]
	fmt.Println("sent:", *status.Code)

	ask := sms.NewPullSmsSendStatusByPhoneNumberRequest()
	ask.SmsSdkAppId, ask.PhoneNumber = &app, &number
	ask.BeginTime, ask.Offset, ask.Limit = common.Uint64Ptr(uint64(time.Now().Add(-time.Minute).Unix())), common.Uint64Ptr(0), common.Uint64Ptr(10)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		found, err := client.PullSmsSendStatusByPhoneNumber(ask)
		if err != nil {
			return err
		}
		if set := found.Response.PullSmsSendStatusSet; len(set) == 1 && *set[0].SerialNo == *status.SerialNo {
			fmt.Println("reported:", *set[0].ReportStatus)
			break
		}
		if time.Now().After(deadline) {
			return errors.New("no report")
		}
	}

	if client, err = open(address, id, "wrong"); err != nil {
		return err
	}
	var refused *sdkerrors.TencentCloudSDKError
	if _, err := client.SendSms(send); errors.As(err, &refused) {
		fmt.Println("wrong key:", refused.Code)
	}
	return nil
}
