package testkit

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// StrictRedis is a proxy before a Redis that refuses what some hosted ones refuse.
type StrictRedis struct {
	Undeclared bool              // let scripts use keys that are not among their KEYS
	Refused    map[string]string // commands, in capitals, that get this error instead of an answer, also from scripts
	OneSlot    bool              // refuse scripts with keys of several hash tags, as a cluster does
	Scattered  bool              // let scripts see only keys of the first one's hash tag, as if the others were on other servers
}

// Before starts the proxy before the Redis of the URL, and returns the URL that leads through it. It ends with the test.
func (s StrictRedis) Before(t testing.TB, redisURL string) string {
	t.Helper()
	u, err := url.Parse(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &strictProxy{rules: s, upstream: u.Host, scripts: map[string]string{}, links: map[net.Conn]bool{}}
	p.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.join(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		p.running.Wait()
	})
	u.Host = listener.Addr().String()
	return u.String()
}

// strictProxy is a running [StrictRedis].
type strictProxy struct {
	rules    StrictRedis
	upstream string
	running  sync.WaitGroup

	mu      sync.Mutex
	ended   bool
	scripts map[string]string // texts by their hashes
	links   map[net.Conn]bool
}

// keep has a connection closed when the proxy ends.
func (p *strictProxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links[conn] = true
	return !p.ended
}

func (p *strictProxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for conn := range p.links {
		_ = conn.Close()
	}
}

// join carries commands to the server and its answers back until one side ends. It rewrites commands one by one, so that
// pipelines keep their order.
func (p *strictProxy) join(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.upstream)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !p.keep(client) || !p.keep(server) {
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	in := bufio.NewReader(client)
	for {
		command, err := readCommand(in)
		if err != nil {
			break
		}
		if _, err := server.Write(writeCommand(p.rewrite(command))); err != nil {
			break
		}
	}
	_ = server.Close()
	answers.Wait()
}

// rewrite returns the command that is sent in place of one: every command still gets one answer.
func (p *strictProxy) rewrite(command []string) []string {
	name := strings.ToUpper(command[0])
	if text, refused := p.rules.Refused[name]; refused {
		return refusal(text)
	}
	if len(command) < 3 || name != "EVAL" && name != "EVALSHA" {
		return command
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	text := command[1]
	if name == "EVAL" {
		sum := sha1.Sum([]byte(text))
		p.scripts[hex.EncodeToString(sum[:])] = text
	} else if text = p.scripts[command[1]]; text == "" {
		return refusal("NOSCRIPT No matching script. Please use EVAL.")
	}
	command = append([]string{"EVAL", p.guard() + text}, command[2:]...)
	if p.scatter(command) && p.rules.OneSlot {
		return refusal("CROSSSLOT Keys in request don't hash to the same slot")
	}
	return command
}

// scatter reports whether a script has keys of several hash tags, and renames those of other tags than the first where they are scattered.
func (p *strictProxy) scatter(script []string) (several bool) {
	count, err := strconv.Atoi(script[2])
	if err != nil || count < 0 || len(script) < 3+count {
		return false
	}
	keys := script[3 : 3+count]
	for i, key := range keys {
		if hashTag(key) == hashTag(keys[0]) {
			continue
		}
		several = true
		if p.rules.Scattered {
			keys[i] = "elsewhere:" + key
		}
	}
	return several
}

// hashTag returns the part of a key that decides its slot.
func hashTag(key string) string {
	_, rest, found := strings.Cut(key, "{")
	if tag, _, ends := strings.Cut(rest, "}"); found && ends {
		return tag
	}
	return key
}

// refusal is a script that answers with the error, so that the server sends it in the order of answers.
func refusal(text string) []string {
	return []string{"EVAL", "return redis.error_reply(ARGV[1])", "0", text}
}

// guard is put in front of every script.
func (p *strictProxy) guard() string {
	var refused strings.Builder
	for name, text := range p.rules.Refused {
		fmt.Fprintf(&refused, "[%q]=%q,", name, text)
	}
	return strings.NewReplacer("REFUSED", refused.String(), "STRICT", strconv.FormatBool(!p.rules.Undeclared), "\n", " ").Replace(strictGuard)
}

// strictGuard looks at every command of a script. The names of commands whose first argument alone is no key, or that
// have other keys, are all that Asynq and we use.
const strictGuard = `local redis = (function(real, strict, refused)
local declared, keys = {}, {MGET = -1, DEL = -1, EXISTS = -1, RENAME = 2, RPOPLPUSH = 2, LMOVE = 2, SMOVE = 2, TIME = 0, PUBLISH = 0}
for _, key in ipairs(KEYS) do declared[key] = true end
local function check(name, ...)
name = string.upper(name)
if refused[name] then error({err = refused[name]}) end
local args, n = {...}, keys[name] or 1
if n < 0 then n = #args end
for i = 1, n do if strict and not declared[args[i]] then
error({err = 'ERR bad lua script for redis cluster, all the keys that the script uses should be passed using the KEYS array'})
end end
end
return setmetatable({
call = function(...) check(...) return real.call(...) end,
pcall = function(...) check(...) return real.pcall(...) end}, {__index = real})
end)(redis, STRICT, {REFUSED})
`

// maxPart bounds what the proxy reads of a client at once.
const maxPart = 1 << 20

// readCommand reads a command in the protocol of Redis: an array of bulk strings.
func readCommand(in *bufio.Reader) ([]string, error) {
	n, err := readCount(in, '*')
	if err != nil {
		return nil, err
	}
	command := make([]string, n)
	for i := range command {
		size, err := readCount(in, '$')
		if err != nil {
			return nil, err
		}
		part := make([]byte, size+2)
		if _, err := io.ReadFull(in, part); err != nil {
			return nil, err
		}
		command[i] = string(part[:size])
	}
	return command, nil
}

func readCount(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	if err != nil || line[0] != kind || n < 0 || n > maxPart {
		return 0, fmt.Errorf("not a command of Redis: %q", line[:1])
	}
	return n, nil
}

func writeCommand(command []string) []byte {
	out := fmt.Appendf(nil, "*%d\r\n", len(command))
	for _, part := range command {
		out = fmt.Appendf(out, "$%d\r\n%s\r\n", len(part), part)
	}
	return out
}
