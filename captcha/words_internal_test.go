package captcha

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"usher/captcha/challenge"
)

// alike has the letters that look alike in a bent picture.
var alike = strings.NewReplacer("Q", "O", "D", "O", "C", "O", "G", "O", "J", "I", "L", "I", "T", "I", "V", "U", "Y", "U",
	"N", "M", "H", "M", "W", "M", "P", "B", "R", "B", "F", "E", "X", "K", "Z", "S")

func Test_ownWords_cannot_be_confused(t *testing.T) {
	t.Parallel()
	lines := strings.Fields(ownWords)
	words, err := loadWords("")
	if err != nil {
		t.Fatal(err)
	}
	if len(words) != len(lines) || !slices.IsSorted(lines) {
		t.Errorf("%d of %d lines are words; want all of them, sorted and different", len(words), len(lines))
	}
	if bits := math.Log2(float64(len(words))); bits < 10 {
		t.Errorf("a word has %.1f bits, want at least 10", bits)
	}
	blurred, gaps := make(map[string]string), make(map[string]string)
	for _, word := range words {
		if other, ok := blurred[alike.Replace(word)]; ok {
			t.Errorf("%s looks like %s", word, other)
		}
		blurred[alike.Replace(word)] = word
		for i := range word {
			gap := word[:i] + "." + word[i+1:]
			if other, ok := gaps[gap]; ok {
				t.Errorf("%s differs from %s in one letter", word, other)
			}
			gaps[gap] = word
		}
	}
}

// distinct returns a list of different words from a to z, one a line.
func distinct(n int) string {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "w%c%c%c\n", 'a'+i/676, 'a'+i/26%26, 'a'+i%26)
	}
	return list.String()
}

func TestNew_reads_the_words_of_a_file_and_skips_what_is_no_word(t *testing.T) {
	t.Parallel()
	odd := "cat\nlongerthanseven\ncan't\nécole\nnaïve\n\n  \nword1\nWAAA\n"
	path := write(t, "words.txt", []byte(odd+"  Orange\r\n"+distinct(minWords)))
	m := newInternal(t, Config{Kind: Words, Words: path})
	if len(m.words) != minWords+1 || !slices.Contains(m.words, "ORANGE") {
		t.Fatalf("got %d words, want %d with ORANGE", len(m.words), minWords+1)
	}
	for range 20 {
		if q := m.question(challenge.Normal); !slices.Contains(m.words, q.answer) || q.text != q.answer {
			t.Fatalf("asked %q, which is not in the file", q.text)
		}
	}
}

func TestConfig_Validate_says_what_is_wrong_with_a_list_of_words(t *testing.T) {
	t.Parallel()
	large := write(t, "large.txt", nil)
	if err := os.Truncate(large, maxWordFile+1); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"no file", filepath.Join(t.TempDir(), "none.txt"), "cannot be read"},
		{"too few", write(t, "few.txt", []byte(distinct(minWords-1))), "has 999 words of 4 to 7 letters from a to z, fewer than 1000"},
		{"the same word again and again", write(t, "same.txt", []byte(strings.Repeat("word\nWORD\n", minWords))), "has 1 words"},
		{"larger than the bound", large, "is larger than 8 MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mistakes := Config{Kind: Words, Words: tt.path}.Validate()
			if len(mistakes) != 1 || mistakes[0].Field != "words" || !strings.Contains(mistakes[0].Problem, tt.want) {
				t.Errorf("got %v, want one mistake of words: %q", mistakes, tt.want)
			}
			if mistakes := (Config{Words: tt.path}).Validate(); len(mistakes) != 0 {
				t.Errorf("the kind digits reads the list: %v", mistakes)
			}
		})
	}
}

func FuzzParseWords(f *testing.F) {
	f.Add("apple\nAPPLE\r\n pear \n")
	f.Add("\xff\xfe\x00w\n\u0130abc\nſtore\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, word := range parseWords(text) {
			if len(word) < minWord || len(word) > maxWord || strings.Trim(word, alphabetUpper) != "" || !Match(word, strings.ToLower(word)) {
				t.Errorf("took %q for a word", word)
			}
		}
	})
}
