package redisstore

import (
	"testing"
	"time"

	"usher/captcha"
)

func Test_decodeAsked(t *testing.T) {
	t.Parallel()
	now := time.Now()
	later := now.Add(time.Minute)
	dear := captcha.Asked{Medium: captcha.Audio, Price: captcha.High, Answer: "23456789"}
	cheap := captcha.Asked{Medium: captcha.Image, Price: captcha.Normal, Answer: "24689"}
	tests := []struct {
		name, stamped string
		want          captcha.Asked
	}{
		{"as it is kept", stamp(later, encodeAsked(dear)), dear},
		{"as a normal one is kept", stamp(later, encodeAsked(cheap)), cheap},
		{"filed before prices were kept", stamp(later, "24689"), captcha.Asked{Price: captcha.Normal, Answer: "24689"}},
		{"ended", stamp(now, encodeAsked(dear)), captcha.Asked{}},
		{"gone", "", captcha.Asked{}},
		{"a price that does not exist", stamp(later, "image free 24689"), captcha.Asked{Price: captcha.Normal, Answer: "image free 24689"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := decodeAsked(tt.stamped, now); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
