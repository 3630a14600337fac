package redisstore

import (
	"testing"
	"time"

	"usher/captcha/challenge"
)

func Test_decodeAsked(t *testing.T) {
	t.Parallel()
	now := time.Now()
	later := now.Add(time.Minute)
	costly := challenge.Asked{Medium: challenge.Audio, Price: challenge.High, Answer: "23456789"}
	cheap := challenge.Asked{Medium: challenge.Image, Price: challenge.Normal, Answer: "24689"}
	guarded := challenge.Asked{Medium: challenge.Image, Price: challenge.Raised, Answer: "24689"}
	tests := []struct {
		name, stamped string
		want          challenge.Asked
	}{
		{"as it is kept", stamp(later, encodeAsked(costly)), costly},
		{"as a normal one is kept", stamp(later, encodeAsked(cheap)), cheap},
		{"beside a proof of work", stamp(later, encodeAsked(guarded)), guarded},
		{"beside a proof of work before its price had a name", stamp(later, "image+pow normal 24689"), guarded},
		{"filed before prices were kept", stamp(later, "24689"), challenge.Asked{Price: challenge.Normal, Answer: "24689"}},
		{"ended", stamp(now, encodeAsked(costly)), challenge.Asked{}},
		{"gone", "", challenge.Asked{}},
		{"a price that does not exist", stamp(later, "image free 24689"), challenge.Asked{Price: challenge.Normal, Answer: "image free 24689"}},
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
