package captcha

import (
	_ "embed"
	"fmt"
	"strings"
)

// ownWords is our own list, in lower case: common words that are known to learners, offend no one, and are spelled alike in
// all of English. No two of them differ in one letter only, nor in letters that look alike in a bent picture, so that a
// person who guesses one unclear letter still has the word. A test holds the list to that.
//
//go:embed words.txt
var ownWords string

const (
	minWord, maxWord = 4, 7
	// minWords makes a guess right once in 1,000 tries.
	minWords    = 1000
	maxWordFile = 8 << 20
)

// loadWords returns the words of a file, or ours where path is empty, in upper case, in which letters differ most.
func loadWords(path string) ([]string, error) {
	text := ownWords
	if path != "" {
		file, err := readFile(path, maxWordFile)
		if err != nil {
			return nil, err
		}
		text = string(file)
	}
	words := parseWords(text)
	if len(words) < minWords {
		return nil, fmt.Errorf("has %d words of %d to %d letters from a to z, fewer than %d", len(words), minWord, maxWord, minWords)
	}
	return words, nil
}

// parseWords returns every word of minWord to maxWord ASCII letters once; a line has one. It skips all other lines, since
// the word lists of operating systems have names with apostrophes, accents and one-letter words.
func parseWords(text string) []string {
	var words []string
	seen := make(map[string]bool)
	for line := range strings.Lines(text) {
		word := strings.ToUpper(strings.TrimSpace(line))
		if len(word) < minWord || len(word) > maxWord || strings.Trim(word, alphabetUpper) != "" || seen[word] {
			continue
		}
		seen[word] = true
		words = append(words, word)
	}
	return words
}

const alphabetUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
