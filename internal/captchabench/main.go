// Command captchabench measures how many captcha pictures of each kind the tesseract program reads (Debian package
// tesseract-ocr), and draws sheets of twenty for a person to read. It exits with 1 when more than 5 % of a kind are read.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"usher/captcha"
	"usher/captcha/speech"
)

// maxBroken is the share, in percent, of pictures that may be read.
const maxBroken = 5.0

type options struct {
	count        int
	sheets, only string
	words, kind  string
	config       captcha.Config
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "captchabench:", err)
		stop()
		os.Exit(1)
	}
}

func parseOptions(args []string) (o options, err error) {
	flags := flag.NewFlagSet("captchabench", flag.ContinueOnError)
	flags.IntVar(&o.count, "n", 200, "pictures of each kind")
	flags.StringVar(&o.sheets, "sheets", "", "write contact sheets of twenty to this folder instead of measuring")
	flags.StringVar(&o.only, "only", "", "measure only pictures (image) or recordings (audio)")
	flags.StringVar(&o.kind, "kind", "", "measure only pictures of a kind")
	flags.StringVar(&o.words, "words", "captcha/words.txt", "the `file` with the words that a solver knows")
	flags.StringVar(&o.config.Ink, "ink", "", "colour of the characters, `#RRGGBB`")
	flags.StringVar(&o.config.Background, "background", "", "colour behind them, `#RRGGBB`")
	flags.StringVar(&o.config.Font, "font", "", "font `file`")
	flags.IntVar(&o.config.FontSize, "font-size", 0, "`pixels`")
	rotation := flags.Int("rotation", 10, "`degrees` at most")
	flags.IntVar(&o.config.Noise, "noise", 0, "1 to 8")
	o.config.Rotation = rotation
	return o, flags.Parse(args)
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	failed := false
	if o.only != "image" && o.sheets == "" {
		broken, err := reportAudio(o, stdout)
		if err != nil {
			return err
		}
		failed = broken
	}
	if o.only == "audio" {
		return verdict(failed)
	}
	for _, kind := range []captcha.Kind{captcha.Digits, captcha.Letters, captcha.Words, captcha.Math} {
		if o.kind != "" && o.kind != string(kind) {
			continue
		}
		config := o.config
		config.Kind = kind
		maker, err := captcha.New(config)
		if err != nil {
			return err
		}
		if o.sheets != "" {
			if err := writeSheet(maker, filepath.Join(o.sheets, string(kind)+".png"), stdout); err != nil {
				return err
			}
			continue
		}
		words, err := wordsOf(kind, o.words)
		if err != nil {
			return err
		}
		broken, err := measure(ctx, maker, kind, words, o.count)
		if err != nil {
			return err
		}
		percent := 100 * float64(broken) / float64(o.count)
		fmt.Fprintf(stdout, "%-8s %4d of %d read  %5.1f %%\n", kind, broken, o.count, percent)
		failed = failed || percent > maxBroken
	}
	return verdict(failed)
}

// wordsOf reads the words that a solver of pictures of words knows.
func wordsOf(kind captcha.Kind, file string) ([]string, error) {
	if kind != captcha.Words {
		return nil, nil
	}
	list, err := os.ReadFile(file)
	return strings.Fields(string(list)), err
}

// verdict makes the exit code 1, so that a script notices challenges that are too easy.
func verdict(failed bool) error {
	if failed {
		return errors.New("too many challenges were solved")
	}
	return nil
}

// reportAudio measures the recordings of each language and tells whether too many were solved.
func reportAudio(o options, stdout io.Writer) (failed bool, err error) {
	maker, err := captcha.New(captcha.Config{})
	if err != nil {
		return false, err
	}
	for _, language := range speech.Languages() {
		results, err := measureAudio(maker, language, o.count)
		if err != nil {
			return false, err
		}
		for _, r := range results {
			percent := 100 * float64(r.solved.Load()) / float64(o.count)
			fmt.Fprintf(stdout, "audio %s  %-18s %4d of %d solved  %5.1f %%  (%.0f %% of the digits)\n", language, r.name,
				r.solved.Load(), o.count, percent, 100*float64(r.digits.Load())/float64(r.asked.Load()))
			failed = failed || percent > maxBroken
		}
	}
	return failed, nil
}
