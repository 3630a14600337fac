package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usher/internal/testkit"
	"usher/sandbox"
)

func TestSMS_say_what_their_code_is_for(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"aliyun", "ronglian", "tencent"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			words := map[string]string{}
			for _, template := range sandbox.Templates() {
				words[template.Purpose] = template.Words
			}
			d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), map[string]string{"USHER_SMS_PROVIDERS": vendor})
			p := d.person(t)
			read := func(mobile, purpose string) string {
				code := p.ReadCode(mobile, 1)
				if text := d.sandbox.Messages(mobile)[0].Text; !strings.Contains(text, words[purpose]) || words[purpose] == "" {
					t.Errorf("a code for %s is sent as %q, want %q in it", purpose, text, words[purpose])
				}
				return code
			}
			for purpose, mobile := range map[string]string{"login": "13700137001", "reset_password": "13700137002"} {
				p.AskCode(mobile, purpose)
				read(mobile, purpose)
			}
			journey := lilei()
			p.AskCode(journey.Mobile, "register")
			p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
				"username": journey.Username, "password": journey.Password, "password_repeat": journey.Password, "agree": true, "mobile": journey.Mobile,
				"sms_code": read(journey.Mobile, "register"),
			})
			p.AskCode("13700137003", "change_mobile")
			read("13700137003", "change_mobile")
			if strings.Contains(d.log.String(), "one SMS template serves several purposes") {
				t.Error("the worker warns although every purpose has its template")
			}
		})
	}
}

func TestSMS_name_the_product_of_the_team(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "brand.json"), []byte(`{"name": {"zh": "示例商城", "en": "Example Shop"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for vendor, mobile := range map[string]string{"aliyun": "13700137004", "http": "13700137005"} {
		d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), map[string]string{
			"USHER_SMS_PROVIDERS": vendor, "USHER_BRAND": folder, "USHER_ALIYUN_TEMPLATE_PARAM_PRODUCT": "product",
		})
		p := d.person(t)
		p.AskCode(mobile, "login")
		p.ReadCode(mobile, 1)
		if text := d.sandbox.Messages(mobile)[0].Text; !strings.Contains(text, "示例商城") {
			t.Errorf("%s: the code is sent as %q", vendor, text)
		}
	}
}

func TestSMS_in_one_template_for_all_purposes_are_warned_of(t *testing.T) {
	t.Parallel()
	settings := map[string]string{}
	for _, template := range sandbox.Templates() {
		settings["USHER_ALIYUN_TEMPLATE_CODE_"+strings.ToUpper(template.Purpose)] = ""
		settings["USHER_RONGLIAN_TEMPLATE_ID_"+strings.ToUpper(template.Purpose)] = ""
	}
	settings["USHER_ALIYUN_TEMPLATE_CODE_LOGIN"] = "SMS_71390002"
	d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), settings)
	for _, want := range []string{
		`"provider":"aliyun","purposes":["register","reset_password","change_mobile","undo_change"]`,
		`"provider":"ronglian","purposes":["register","login","reset_password","change_mobile","undo_change"]`,
	} {
		if !strings.Contains(d.log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, d.log)
		}
	}
}
