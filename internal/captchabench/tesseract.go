package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"usher/captcha"
	"usher/captcha/challenge"
)

// modes are tesseract's page segmentation modes that suit one word: a line, a word, and a line without its guesses.
// thresholds are its ways to tell ink from paper: Otsu for the whole picture, Otsu by tiles, and Sauvola by pixel.
var (
	modes      = []string{"7", "8", "13"}
	thresholds = []string{"0", "1", "2"}
)

// measure returns how many of count pictures tesseract answers rightly in at least one mode. With words, which are those
// that the pictures may show, a text stands for the word that it is most like.
func measure(ctx context.Context, maker *captcha.Maker, kind captcha.Kind, words []string, count int) (int, error) {
	dir, err := os.MkdirTemp("", "captchabench")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	answers, list := make([]string, count), make([]string, count)
	for i := range count {
		challenge, err := maker.Make(challenge.Image, challenge.Normal, "")
		if err != nil {
			return 0, err
		}
		answers[i], list[i] = challenge.Answer, filepath.Join(dir, fmt.Sprintf("%d.png", i))
		if err := os.WriteFile(list[i], challenge.Media, 0o600); err != nil {
			return 0, err
		}
	}
	listFile := filepath.Join(dir, "list.txt")
	if err := os.WriteFile(listFile, []byte(strings.Join(list, "\n")+"\n"), 0o600); err != nil {
		return 0, err
	}

	read := make(map[int]bool)
	for _, mode := range modes {
		for _, threshold := range thresholds {
			texts, err := tesseract(ctx, listFile, "--psm", mode,
				"-c", "thresholding_method="+threshold, "-c", "tessedit_char_whitelist="+whitelist(kind))
			if err != nil {
				return 0, err
			}
			if len(texts) != count {
				return 0, fmt.Errorf("tesseract gave %d texts for %d pictures", len(texts), count)
			}
			for i, text := range texts {
				if solves(nearest(words, text), answers[i]) {
					read[i] = true
				}
			}
		}
	}
	return len(read), nil
}

// tesseract reads all pictures named in listFile with one process, which puts a form feed between their texts.
func tesseract(ctx context.Context, listFile string, options ...string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "tesseract", append([]string{listFile, "stdout"}, options...)...)
	cmd.Env = append(os.Environ(), "OMP_THREAD_LIMIT=1")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run tesseract %s: %w", strings.Join(options, " "), err)
	}
	return strings.Split(string(out), "\f"), nil
}

// whitelist tells tesseract the characters of a kind, as an attacker would.
func whitelist(kind captcha.Kind) string {
	switch kind {
	case captcha.Letters, captcha.Words:
		return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	case captcha.Math:
		return "0123456789+-=?"
	default:
		return "0123456789"
	}
}

// expression is a sum or a difference as tesseract reads it.
var expression = regexp.MustCompile(`(\d+)([+-])(\d+)`)

// solves reports whether a robot that reads text, and can reckon, has the answer.
func solves(text, answer string) bool {
	if captcha.Match(answer, text) {
		return true
	}
	parts := expression.FindStringSubmatch(strings.Join(strings.Fields(text), ""))
	if parts == nil {
		return false
	}
	a, errA := strconv.Atoi(parts[1])
	b, errB := strconv.Atoi(parts[3])
	if errA != nil || errB != nil {
		return false
	}
	if parts[2] == "-" {
		b = -b
	}
	return captcha.Match(answer, strconv.Itoa(a+b))
}

// nearest returns the word that takes the fewest changes of a letter to become text; without words, text itself.
func nearest(words []string, text string) string {
	if len(words) == 0 {
		return text
	}
	text = strings.ToLower(strings.Join(strings.Fields(text), ""))
	best, fewest := "", len(text)
	for _, word := range words {
		if n := changes(word, text); n < fewest {
			best, fewest = word, n
		}
	}
	return best
}

// changes is Levenshtein's distance: how many letters to add, remove or replace.
func changes(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
