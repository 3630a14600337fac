package prove_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// reader is something that reads what strangers write, and what holds for whatever it reads.
type reader struct {
	corpora []string // folders with the seeds of its fuzz targets, below the module
	seeds   []string
	part    int // of the number of inputs, as a divisor, for what is slow; 0 counts as 1
	workers int // 0 counts as 1; check is safe for concurrent use where there are more
	check   func(t testing.TB, random *rand.Rand, input string)
}

// Row 10: no text of a vendor, a stranger or the operator crashes a process. The native fuzzing of the
// same readers is make fuzz; what it finds goes into its corpora, where this row begins.
func TestRow10_strange_inputs_crash_no_process(t *testing.T) {
	t.Parallel()
	r := newRow(t, 10, "mutated bodies, headers, contacts, names, answers, reports, mail dialogues, tasks, settings")
	inputs := size(5000, 1_000_000)
	readers := map[string]reader{
		"mobile": mobiles(), "email": emails(), "user name": usernames(), "limits": limitSettings(), "addresses": urlSettings(),
		"reports": pushedReports(), "tasks": taskPayloads(t), "Aliyun": aliyunAnswers(t), "AliyunVerify": aliyunVerifyAnswers(t),
		"Ronglian": ronglianAnswers(t), "Tencent": tencentAnswers(t), "SMTP": smtpReplies(t),
	}
	bodies, headers := httpReaders(t)
	readers["bodies"], readers["headers"] = bodies, headers
	var tried, failed atomic.Int64
	t.Run("readers", func(t *testing.T) {
		for name, reader := range readers {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				tried.Add(int64(reader.run(t, name, inputs)))
				if t.Failed() {
					failed.Add(1)
				}
			})
		}
	})
	r.tried("%d inputs to %d readers", tried.Load(), len(readers))
	r.exactly("readers that crashed, answered 5xx or broke their promise", int(failed.Load()), 0)
}

// run feeds mutations of the corpus to a reader, and returns how many.
func (r reader) run(t *testing.T, name string, inputs int) int {
	t.Helper()
	corpus := r.corpus(t)
	workers := max(r.workers, 1)
	each := inputs / max(r.part, 1) / workers
	t.Run("workers", func(t *testing.T) {
		for worker := range workers {
			t.Run(strconv.Itoa(worker), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(results.seed, uint64(10<<8+worker)))
				for i := 0; i < each && !t.Failed(); i++ {
					input := mutate(random, corpus)
					if i < len(corpus) {
						input = corpus[i]
					}
					r.feed(t, random, input)
				}
			})
		}
	})
	return each * workers
}

// feed names the input that something panics over.
func (r reader) feed(t *testing.T, random *rand.Rand, input []byte) {
	t.Helper()
	defer func() {
		if cause := recover(); cause != nil {
			t.Errorf("panic over %.2000q: %v", input, cause)
		}
	}()
	r.check(t, random, string(input))
}

// corpus is the seeds, and every text in the files of the fuzz targets.
func (r reader) corpus(t testing.TB) [][]byte {
	t.Helper()
	var list [][]byte
	for _, seed := range r.seeds {
		list = append(list, []byte(seed))
	}
	for _, folder := range r.corpora {
		files, err := filepath.Glob(filepath.Join("..", "..", folder, "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no corpus in %s: %v", folder, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, textsOf(t, text)...)
		}
	}
	return list
}

// textsOf returns the texts of a corpus file of go test, whose lines are Go conversions: string("…"), int(1).
func textsOf(t testing.TB, file []byte) [][]byte {
	t.Helper()
	var list [][]byte
	for line := range strings.Lines(string(file)) {
		quoted, found := strings.CutPrefix(strings.TrimSpace(line), "string(")
		if !found {
			quoted, found = strings.CutPrefix(strings.TrimSpace(line), "[]byte(")
		}
		if !found {
			continue
		}
		text, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
		if err != nil {
			t.Fatalf("corpus: %v in %s", err, line)
		}
		list = append(list, []byte(text))
	}
	return list
}

// hostile is what mutations put in.
var hostile = []string{
	"\x00", "\xff\xfe", "\r\n", "\ufeff", "\u202e", "\u0130", "ﷺ", "\\u0000", "\\ud800", `"`, `\`, "{", "[[[[[[[[", "]", "}", ",", ":", "=",
	"null", "true", "-0", "1e999", "9223372036854775808", "0.1", "%00", "%", "../", "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///\">]>",
	"<a>", "</", "&lt;", "＋８６", "+86", "@", "xn--", "::1", "127.0.0.1", "2001:db8::1%eth0", "off", "/1h", "OK", "000000", "250-", "421 ",
	"\r\n.\r\n", "'", "';--", "${x}", "{{.}}", "%d%s%n",
}

// longest bounds inputs, which grow by insertion.
const longest = 8 << 10

// mutate makes a new input of one or two of the corpus.
func mutate(random *rand.Rand, corpus [][]byte) []byte {
	input := bytes.Clone(corpus[random.IntN(len(corpus))])
	for range 1 + random.IntN(4) {
		at := random.IntN(len(input) + 1)
		to := min(len(input), at+random.IntN(16))
		switch random.IntN(7) {
		case 0: // flip a bit
			if at < len(input) {
				input[at] ^= 1 << random.IntN(8)
			}
		case 1: // insert what is known to hurt
			input = fmt.Appendf(nil, "%s%s%s", input[:at], hostile[random.IntN(len(hostile))], input[at:])
		case 2: // insert any byte
			input = fmt.Appendf(nil, "%s%c%s", input[:at], byte(random.IntN(256)), input[at:])
		case 3: // delete
			input = append(input[:at:at], input[to:]...)
		case 4: // repeat
			input = fmt.Appendf(nil, "%s%s%s", input[:at], bytes.Repeat(input[at:to], random.IntN(20)), input[at:])
		case 5: // splice
			other := corpus[random.IntN(len(corpus))]
			input = append(input[:at:at], other[random.IntN(len(other)+1):]...)
		case 6: // cut off
			input = input[:at]
		}
	}
	return input[:min(len(input), longest)]
}
