package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// TestScreenshots writes the pictures of the README into the directory that USHER_SCREENSHOTS names: make screenshots
// runs it. They show the running program; only the times of the traffic are moved, so that a minute's messages fill a
// quarter of an hour.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("USHER_SCREENSHOTS")
	if dir == "" {
		t.Skip("USHER_SCREENSHOTS names no directory")
	}
	database := testkit.Postgres(t)
	dev := launchDev(t, map[string]string{
		"USHER_LIMITS": crowded + ",sms_ip_day=off", "USHER_DATABASE_URL": database,
		"USHER_SECRET_KEYS": "k1:" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
	}, "-limits=false")
	pages := "127.0.0.1" + dev.Await(t, `Sign up +http://localhost(:\d+)/register`)
	inbox, ops := dev.Await(t, `Inbox +http://(\S+)/inbox`), dev.Await(t, `Queues +http://(\S+)/queues`)

	b := openBrowser(t)
	signup := shotOfSignUp(t, b.fresh(t), pages)
	mails := b.fresh(t)
	mails.do(t, chromedp.EmulateViewport(640, 900), chromedp.Navigate("http://"+inbox+"/inbox"))
	mails.says(t, "body", "13800138000")
	writePicture(t, filepath.Join(dir, "signup.png"), signup, mails.shot(t))

	makeTraffic(t, pages, inbox)
	spreadTraffic(t, database)
	board := b.fresh(t)
	board.do(t, chromedp.EmulateViewport(1280, 900), chromedp.Navigate("http://"+ops+"/ops?range=15m&lang=en&pause=1"))
	writePicture(t, filepath.Join(dir, "ops.png"), board.shot(t))
}

// shotOfSignUp fills in the form and returns it at the moment when the code has been sent.
func shotOfSignUp(t *testing.T, b *browser, pages string) image.Image {
	t.Helper()
	b.do(t, chromedp.EmulateViewport(640, 900), chromedp.Navigate("http://"+pages+inLanguage("/register", "en")),
		chromedp.SendKeys(css("#username"), "hanmeimei"))
	b.askCode(t, "13800138000")
	b.await(t, `document.activeElement.id === 'sms_code'`)
	return b.shot(t)
}

// makeTraffic asks for codes and enters most of them; some go to numbers that the sandbox refuses or never reaches.
func makeTraffic(t *testing.T, pages, inbox string) {
	t.Helper()
	for i := range 60 {
		p := testclient.New(t, pages, inbox)
		p.CaptchaAnswer = captchaAnswer
		mobile := fmt.Sprintf("1%d%08d", 38+i%2*48, 20000000+i*10007)
		if i%20 == 7 {
			mobile = fmt.Sprintf("138%02d990001", i) // the sandbox reports it as undelivered
		}
		p.AskCode(mobile, "register")
		if i%6 == 5 || i%20 == 7 {
			continue
		}
		p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
			"username": fmt.Sprintf("person_%02d", i), "mobile": mobile, "sms_code": p.ReadCode(mobile, 1),
			"password": oldPassword, "password_repeat": oldPassword, "agree": true, "email": fmt.Sprintf("person%d@example.com", i),
		})
	}
}

// spreadTraffic moves each message back by its own part of fourteen minutes, all its times alike.
func spreadTraffic(t *testing.T, database string) {
	t.Helper()
	db, err := sql.Open("postgres", database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const settled = `select count(*) = 0 from messages where state in ('queued', 'sending') or channel = 'sms' and state = 'sent'`
	testkit.Eventually(t, pageTime, func() bool {
		var done bool
		return db.QueryRowContext(t.Context(), settled).Scan(&done) == nil && done
	}, "every message has its outcome")
	const spread = `update messages m set created_at = created_at - d, accepted_at = accepted_at - d,
		delivered_at = delivered_at - d, used_at = used_at - d, updated_at = updated_at - d
		from (select id, random() * interval '14 minutes' as d from messages) as s where s.id = m.id`
	if _, err := db.ExecContext(t.Context(), spread); err != nil {
		t.Fatal(err)
	}
}

func (b *browser) shot(t testing.TB) image.Image {
	t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// writePicture writes pictures side by side into one file.
func writePicture(t *testing.T, name string, parts ...image.Image) {
	t.Helper()
	var size image.Point
	for _, part := range parts {
		size = image.Pt(size.X+part.Bounds().Dx(), max(size.Y, part.Bounds().Dy()))
	}
	whole := image.NewRGBA(image.Rectangle{Max: size})
	left := 0
	for _, part := range parts {
		draw.Draw(whole, image.Rect(left, 0, left+part.Bounds().Dx(), size.Y), part, part.Bounds().Min, draw.Src)
		left += part.Bounds().Dx()
	}
	var encoded bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&encoded, whole); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, encoded.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
