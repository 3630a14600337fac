package captcha_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"usher/captcha"
	"usher/captcha/challenge"
)

const sampleRate = 8000

// samples checks the RIFF header of an 8-bit mono WAV file and returns its sound.
func samples(t *testing.T, made captcha.Challenge) []byte {
	t.Helper()
	wav := made.Media
	if made.MIME != "audio/wav" || len(wav) < 44 {
		t.Fatalf("got MIME %q and %d bytes", made.MIME, len(wav))
	}
	if string(wav[:4]) != "RIFF" || string(wav[8:16]) != "WAVEfmt " || string(wav[36:40]) != "data" {
		t.Fatalf("not a WAV file: %q", wav[:44])
	}
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(wav[at:])) }
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(wav[at:])) }
	if got := u32(4); got != len(wav)-8 {
		t.Errorf("RIFF size is %d, want %d", got, len(wav)-8)
	}
	if pcm, channels, rate, bits := u16(20), u16(22), u32(24), u16(34); pcm != 1 || channels != 1 || rate != sampleRate || bits != 8 {
		t.Errorf("got format %d, %d channels, %d Hz, %d bits", pcm, channels, rate, bits)
	}
	if size := u32(40); size != len(wav)-44 {
		t.Fatalf("data size is %d, want %d", size, len(wav)-44)
	}
	return wav[44:]
}

func TestMaker_Make_recordings_are_short_WAV_files(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"zh", "en", "la"} {
		maker := newMaker(t, captcha.Config{})
		for range 20 {
			made := makeIn(t, maker, challenge.Audio, language)
			if seconds := len(samples(t, made)) / sampleRate; seconds < 4 || seconds > 12 {
				t.Errorf("%s: six digits take %d s", language, seconds)
			}
		}
	}
}

// No two recordings of one answer are alike, and a language that is set is spoken to everybody.
func TestMaker_Make_recordings_differ(t *testing.T) {
	t.Parallel()
	maker := newMaker(t, captcha.Config{Fixed: "2468", Language: "en"})
	first, second := makeIn(t, maker, challenge.Audio, "zh"), makeIn(t, maker, challenge.Audio, "zh")
	if first.Answer != second.Answer || bytes.Equal(first.Media, second.Media) {
		t.Errorf("got answers %q and %q in equal recordings", first.Answer, second.Answer)
	}
}
