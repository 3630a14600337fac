package main

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// djangoFiles are the project. It runs from a copy, so that Python's cache stays out of the source.
//
//go:embed all:peers/django/signup
var djangoFiles embed.FS

// debianPython has Debian's packages, unlike another Python that may be first in PATH.
const debianPython = "/usr/bin/python3"

// djangoNeeds are the modules of the project, with their packages.
var djangoNeeds = []string{
	"django=python3-django", "celery=python3-celery", "gunicorn=python3-gunicorn", "redis=python3-redis", "django_redis=python3-django-redis",
	"psycopg2=python3-psycopg2", "gevent=python3-gevent", "PIL=python3-pil", "urllib3=python3-urllib3", "argon2=python3-argon2",
}

// errNoPackages is the error of a machine without what the project needs.
var errNoPackages = errors.New("the peer django needs Debian's packages")

// missingPackages returns the names of Debian's packages that are not installed.
func missingPackages(ctx context.Context) ([]string, error) {
	script := "import sys, importlib.util as u; print(*[p for m, p in (a.split('=') for a in sys.argv[1:]) if not u.find_spec(m)])"
	said, err := exec.CommandContext(ctx, debianPython, append([]string{"-c", script}, djangoNeeds...)...).Output()
	if errors.Is(err, fs.ErrNotExist) {
		said, err = []byte("python3 (with "+strings.Join(djangoNeeds, " ")+")"), nil
	}
	return strings.Fields(string(said)), err
}

// gunicorn is how many processes serve, and how many requests each serves at the same time. Those without threads close each
// connection after its answer.
type gunicorn struct{ workers, threads int }

func (g gunicorn) String() string { return fmt.Sprintf("gunicorn %d × %d", g.workers, g.threads) }

// gunicorns are the quickest settings on two cores. Which of them is depends on what else the machine does, so each run tries both.
var gunicorns = []gunicorn{{3, 1}, {2, 32}}

// pool is how a Celery worker runs tasks at the same time.
type pool struct {
	kind string
	size int
}

func (p pool) String() string { return fmt.Sprintf("%s-%d", p.kind, p.size) }

var (
	manyProcesses = pool{"prefork", 4}
	manyThreads   = pool{"gevent", 100}
)

// djangoPeer is the project with its database on the testbed's servers.
type djangoPeer struct {
	testbed *testbed
	dir     string
	environ map[string]string
	redis   *redis.Client
	db      *sql.DB
	web     gunicorn
	about   string // versions
}

// openDjango copies the project and makes its tables. The error is errNoPackages where packages are missing.
func openDjango(ctx context.Context, s *testbed, captcha bool) (*djangoPeer, error) {
	missing, err := missingPackages(ctx)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: apt-get install %s", errNoPackages, strings.Join(missing, " "))
	}
	project, err := fs.Sub(djangoFiles, "peers/django")
	if err != nil {
		return nil, err
	}
	d := &djangoPeer{testbed: s, dir: filepath.Join(s.dir, "django"), web: gunicorns[0]}
	if err := os.CopyFS(d.dir, project); err != nil {
		return nil, err
	}
	if err := d.connect(ctx); err != nil {
		return nil, err
	}
	if captcha {
		d.environ["PEER_CAPTCHA"] = "on"
	}
	versions, err := exec.CommandContext(ctx, debianPython, "-c", `import celery, django, gunicorn, sys
print('Python %s, Django %s, gunicorn %s, Celery %s' % (sys.version.split()[0], django.__version__, gunicorn.__version__, celery.__version__))`).Output()
	if err != nil {
		return nil, err
	}
	d.about = strings.TrimSpace(string(versions))
	return d, d.script(ctx, "-m", "django", "migrate")
}

// connect makes the database and the settings.
func (d *djangoPeer) connect(ctx context.Context) error {
	s := d.testbed
	if _, err := s.db.Unwrap().ExecContext(ctx, "create database peer"); err != nil {
		return err
	}
	database, err := url.Parse(s.postgres.URL())
	if err != nil {
		return err
	}
	database.Path = "peer"
	if d.db, err = sql.Open("postgres", database.String()); err != nil {
		return err
	}
	s.closers = append(s.closers, func() { _ = d.db.Close() })
	options, err := redis.ParseURL(s.redis.URL() + "/2")
	if err != nil {
		return err
	}
	d.redis = redis.NewClient(options)
	s.closers = append(s.closers, func() { _ = d.redis.Close() })
	host, port, err := net.SplitHostPort(s.vendor.smtp)
	d.environ = map[string]string{
		"DJANGO_SETTINGS_MODULE": "signup.settings", "PYTHONPATH": d.dir, "LANG": "C.UTF-8", "PEER_SECRET_KEY": strings.Repeat("s", 50),
		"PEER_DATABASE_HOST": database.Hostname(), "PEER_DATABASE_PORT": database.Port(), "PEER_DATABASE_USER": database.User.Username(),
		"PEER_DATABASE_NAME": "peer", "PEER_REDIS_URL": s.redis.URL(), "PEER_VENDOR_URL": "http://" + s.vendor.http + "/aliyun/",
		"PEER_VENDOR_KEY_ID": s.environ["USHER_ALIYUN_ACCESS_KEY_ID"], "PEER_VENDOR_KEY_SECRET": s.environ["USHER_ALIYUN_ACCESS_KEY_SECRET"],
		"PEER_SMTP_HOST": host, "PEER_SMTP_PORT": port,
		"PEER_SMTP_USERNAME": s.environ["USHER_SMTP_USERNAME"], "PEER_SMTP_PASSWORD": s.environ["USHER_SMTP_PASSWORD"],
	}
	return err
}

// python starts a module of Python with the project's settings and some more.
func (d *djangoPeer) python(name string, settings map[string]string, args ...string) (*process, error) {
	environ := maps.Clone(d.environ)
	maps.Copy(environ, settings)
	return start(d.dir, name, environ, debianPython, append([]string{"-m"}, args...)...)
}

// script runs Python with the project's settings and waits for its end.
func (d *djangoPeer) script(ctx context.Context, args ...string) error {
	p, err := start(d.dir, "script", d.environ, debianPython, args...)
	if err != nil {
		return err
	}
	if err := p.Wait(ctx); err != nil {
		return fmt.Errorf("%.100q: %w: %s", args, err, p.LastOutput())
	}
	return nil
}

// serving starts gunicorn, which hashes passwords with Django's hasher of that name: PBKDF2 or Argon2.
func (d *djangoPeer) serving(hasher string) starter {
	return func(ctx context.Context) (*server, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		p, err := d.python("gunicorn", map[string]string{"PEER_HASHER": hasher}, "gunicorn", "--bind", addr, "--workers", strconv.Itoa(d.web.workers),
			"--threads", strconv.Itoa(d.web.threads), "--log-level", "warning", "signup.wsgi")
		if err != nil {
			return nil, err
		}
		return p.serves(ctx, addr, "/ready/")
	}
}

// working starts Celery and waits until it takes tasks.
func (d *djangoPeer) working(of pool) starter {
	return func(ctx context.Context) (*server, error) {
		p, err := d.python("celery", nil, "celery", "--app", "signup", "worker", "--pool", of.kind, "--concurrency", strconv.Itoa(of.size),
			"--loglevel", "warning", "--without-gossip", "--without-mingle", "--without-heartbeat")
		if err != nil {
			return nil, err
		}
		err = until(ctx, startLimit, func() (bool, error) {
			if p.Ended() {
				return false, errors.New("celery has ended")
			}
			return strings.Contains(p.Output(), "worker is ready"), nil
		})
		if err != nil {
			p.stop()
			return nil, fmt.Errorf("%w: %s", err, p.LastOutput())
		}
		return &server{process: p}, nil
	}
}

// queueMails queues so many mails.
func (d *djangoPeer) queueMails(ctx context.Context, count int) error {
	return d.script(ctx, "-c", `
import sys
import django
django.setup()
from signup.tasks import send_verify_mail
for i in range(int(sys.argv[1])):
    send_verify_mail.delay(i, 'bench-%d@example.com' % i)
`, strconv.Itoa(count))
}

// fileUsers files accounts for so many numbers.
func (d *djangoPeer) fileUsers(ctx context.Context, first, count int) error {
	for n := first; n < first+count; n++ {
		if _, err := d.db.ExecContext(ctx, `insert into signup_user
			(password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined, mobile, email_active)
			values ('', false, $1, '', '', $2, false, true, now(), $3, false)`, usernameOf(n), emailOf(n), mobileOf(n)); err != nil {
			return err
		}
	}
	return nil
}

// djangoGood is what a good answer of the project has.
const djangoGood = `"code": "0"`

// at returns a caller of an endpoint of the project.
func (d *djangoPeer) at(addr string, build func(n int) request) caller {
	return caller{addr: addr, make: build, want: http.StatusOK, good: djangoGood}
}

// codes returns the caller that asks for codes, with the text of a captcha.
func (d *djangoPeer) codes(addr, text string) caller {
	c := d.at(addr, func(n int) request {
		return get("/sms_codes/" + mobileOf(n) + "/?text=" + text + "&image_code_id=" + strconv.Itoa(n))
	})
	if d.environ["PEER_CAPTCHA"] == "on" {
		c.seed = d.fileCaptchas
	}
	return c
}

// captchaText is the solution of every filed captcha, for both sides.
const captchaText = "24689"

// fileCaptchas files a captcha for so many numbers, as the picture's address does.
func (d *djangoPeer) fileCaptchas(ctx context.Context, first, count int) error {
	_, err := d.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for n := first; n < first+count; n++ {
			pipe.SetEx(ctx, "img_"+strconv.Itoa(n), captchaText, 5*time.Minute)
		}
		return nil
	})
	return err
}
