package archtest_test

// An edge lets the package from import the package to, for the reason why. Both are paths below the module
// and may be patterns in which * stands for one folder.
type edge struct{ from, to, why string }

// edges are all imports between our packages that tests do not make. What has no line here is not allowed:
// packages without a line on the left know nothing of the others.
var edges = []edge{
	// Layer 1: what a message is and how it leaves.
	{"contact", "input", "numbers and addresses are read as people paste them"},
	{"captcha", "input", "so are answers"},
	{"verify", "input", "so are codes"},
	{"accounts", "input", "so are user names"},
	{"api", "input", "so are all fields but passwords"},
	{"limits", "contact", "a limit counts per number and per address"},
	{"reports", "messages", "a report says which state a message is in"},
	{"providers", "contact", "a message has a receiver"},
	{"providers", "messages", "a receipt is an outcome of a message"},
	{"providers", "reports", "some vendors hand their reports out to whoever asks"},
	{"providers", "reasons", "a refusal has a reason in a word of ours"},
	{"providers/*", "reasons", "the same"},
	{"providers/internal/*", "reasons", "the same"},
	{"tasks", "reasons", "an outcome has a reason"},
	{"app", "reasons", "an outage has one"},
	{"board", "reasons", "it shows words of the list"},
	{"cmd/admin", "reasons", "it tells what to do"},
	{"internal/gendocs", "reasons", "the manual of the reasons is made from the list"},
	{"verify", "contact", "a code goes to a number"},
	{"verify", "limits", "issuing and checking are limited"},
	{"verify", "messages", "a code travels as a message with states and claims"},
	{"verify", "secrets", "codes and their checks derive from keys"},

	{"vitals", "messages", "it counts messages by channel and state"},
	{"board", "vitals", "the page shows facts and their verdict"},

	// Layer 2: people, and the vendors.
	{"accounts", "contact", "an account has a number and an address"},
	{"accounts", "limits", "signing in and resending are limited"},
	{"accounts", "messages", "an activation mail is written with its account"},
	{"accounts", "passwords", "it needs hashes, and knows neither algorithm nor process"},
	{"accounts", "secrets", "activation tokens derive from keys"},
	{"accounts", "verify", "registering spends a code"},
	{"providers/*", "config", "a vendor's settings hold secrets, which print masked"},
	{"providers/*", "contact", "a vendor is handed a receiver"},
	{"providers/*", "messages", "a vendor's delivery report is an outcome"},
	{"providers/*", "providers", "the contract that every vendor keeps"},
	{"providers/*", "reports", "a vendor that is asked for its reports reads them"},
	{"providers/*", "providers/internal/wire", "bounded requests and answers, alike for all vendors"},
	{"providers/internal/*", "config", "a vendor's address and secrets are settings"},
	{"providers/internal/*", "contact", "a receiver must be scrubbed from a vendor's texts"},
	{"providers/internal/*", "providers", "what goes wrong on the wire has a kind"},

	// Layer 3: the adapters, which know the domain and never one another.
	{"store/redisstore", "accounts", "it keeps sessions and sign-in failures"},
	{"store/redisstore", "contact", "keys are made from numbers and addresses"},
	{"store/redisstore", "limits", "it counts"},
	{"store/redisstore", "messages", "it keeps claims and outcomes of codes"},
	{"store/redisstore", "providers", "it keeps their scores for all workers"},
	{"store/redisstore", "reports", "it files delivery reports of codes"},
	{"store/redisstore", "secrets", "keys hold keyed hashes, not numbers"},
	{"store/redisstore", "verify", "it keeps codes"},
	{"store/redisstore", "vitals", "it keeps what workers say of themselves"},
	{"store/sqlstore", "accounts", "it keeps accounts"},
	{"store/sqlstore", "contact", "rows hold numbers and addresses"},
	{"store/sqlstore", "messages", "it keeps the outbox"},
	{"store/sqlstore", "secrets", "what is looked up goes by keyed hashes, and columns are sealed"},
	{"store/sqlstore", "vitals", "it counts what became of messages"},
	{"store/redisstore", "store/redisconn", "the probes are run with its keys"},
	{"store/*", "store", "what a store says of a dependency that is away"},
	{"tasks", "accounts", "the mail of an activation is made from its account"},
	{"tasks", "contact", "a payload holds a receiver, sealed and masked"},
	{"tasks", "messages", "a task claims its message and records the outcome"},
	{"tasks", "providers", "the contract; no vendor"},
	{"tasks", "queue", "a task has a queue, options and an id"},
	{"tasks", "reports", "a worker asks vendors for their reports"},
	{"tasks", "secrets", "payloads are sealed; codes and tokens are derived again"},
	{"tasks", "telemetry", "a task's log lines say which request it belongs to"},
	{"tasks", "verify", "a task sends a code while it is of use"},
	{"api", "accounts", "it registers people and signs them in"},
	{"api", "passwords", "a known network hashes first, and a busy hasher is an answer"},
	{"api", "captcha", "it asks challenges"},
	{"api", "contact", "it reads numbers and addresses"},
	{"api", "limits", "it limits per address of the caller"},
	{"api", "overload", "it takes on what it can serve in time"},
	{"api", "messages", "it answers with the state of a message, and takes delivery reports"},
	{"api", "reports", "it takes the reports that vendors push, without any vendor's code"},
	{"api", "secrets", "it draws request ids"},
	{"api", "store", "it answers differently when a store is away; of the stores it knows no more"},
	{"api", "telemetry", "log lines say which request they belong to"},
	{"api", "verify", "it issues and checks codes"},
	{"api", "web", "it serves the pages"},
	{"providers/catalog", "providers/aliyun", "the list of vendors"},
	{"providers/catalog", "providers/ronglian", "the list of vendors"},
	{"providers/catalog", "providers/smtp", "the list of vendors"},

	// Layer 4: the assembly, which no vendor is a part of: the worker's main hands the senders in.
	// What only the API is made of has a package of its own, which no worker carries.
	{"app", "config", "it reads the settings"},
	{"app", "contact", "receivers pass through the wiring"},
	{"app", "messages", "outcomes pass through the wiring"},
	{"app", "providers", "it routes between senders that it is handed"},
	{"app", "queue", "it assembles consumers, reapers and schedulers"},
	{"app", "reports", "it builds the service"},
	{"app", "secrets", "it derives the keys"},
	{"app", "store", "its logger leaves out what is known of a store that is away"},
	{"app", "store/*", "it hands the stores to the services"},
	{"app", "tasks", "it runs the workers"},
	{"app", "telemetry", "it opens the traces, and its logger names requests"},
	{"app", "verify", "its canary is filed like a code"},
	{"app", "vitals", "facts pass through the wiring"},
	{"app/front", "accounts", "it builds the service"},
	{"app/front", "passwords", "it starts the hash processes"},
	{"app/front", "api", "it serves the API"},
	{"app/front", "app", "stores, operations port and what else the processes share"},
	{"app/front", "board", "it serves the operators' page"},
	{"app/front", "captcha", "it builds the service"},
	{"app/front", "config", "it reads the settings"},
	{"app/front", "contact", "receivers pass through the wiring"},
	{"app/front", "limits", "it builds the limiter"},
	{"app/front", "queue", "it shows the queues, and notifies workers"},
	{"app/front", "secrets", "it derives the keys"},
	{"app/front", "store", "its client tells the log of a Redis that is away"},
	{"app/front", "store/*", "it hands the stores to the services"},
	{"app/front", "tasks", "it enqueues, and shows the queues"},
	{"app/front", "telemetry", "it opens the traces"},
	{"app/front", "verify", "it builds the service"},
	{"app/front", "vitals", "facts pass through the wiring"},
	{"app/front", "web", "it serves the pages"},

	// Layer 5: the programs.
	{"cmd/api", "app", "what every program starts with"},
	{"cmd/api", "app/front", "the program is the assembly with its settings"},
	{"cmd/api", "config", "the program is the assembly with its settings"},
	{"cmd/worker", "app", "the program is the assembly with its settings"},
	{"cmd/worker", "config", "the program is the assembly with its settings"},
	{"cmd/worker", "providers", "it hands senders to the assembly"},
	{"cmd/worker", "providers/catalog", "the worker, and only it, sends"},
	{"cmd/dev", "app", "it runs both processes in one"},
	{"cmd/dev", "app/front", "the other of the two"},
	{"cmd/dev", "captcha", "only this program can fix a challenge's answer"},
	{"cmd/dev", "config", "it fills in the settings that it can guess"},
	{"cmd/dev", "providers", "it hands senders to the assembly"},
	{"cmd/dev", "providers/catalog", "it sends with the real vendors' clients"},
	{"cmd/dev", "sandbox", "which plays the vendors"},
	{"cmd/dev", "store/sqlstore", "it migrates without being asked"},
	{"cmd/sandbox", "sandbox", "the program around the package"},
	{"cmd/admin", "accounts", "it makes superusers"},
	{"cmd/admin", "passwords", "a superuser's password is hashed"},
	{"cmd/admin", "app", "it checks what the processes check"},
	{"cmd/admin", "app/front", "the same"},
	{"cmd/admin", "config", "it reads and checks the settings"},
	{"cmd/admin", "contact", "it reads numbers and addresses"},
	{"cmd/admin", "messages", "it shows and retries messages"},
	{"cmd/admin", "providers", "its canary is sent by one provider"},
	{"cmd/admin", "verify", "its canary is filed like a code"},
	{"cmd/admin", "providers/catalog", "it checks the vendors' settings"},
	{"cmd/admin", "providers/smtp", "it shows mails as they are sent"},
	{"cmd/admin", "secrets", "it checks a rotation of keys"},
	{"cmd/admin", "store", "it tells what an operator can do about a store that is away"},
	{"cmd/admin", "store/*", "it migrates and looks messages up"},
	{"cmd/admin", "queue", "it reads the tasks of every queue"},
	{"cmd/admin", "tasks", "it shows the queues and the mails, and enqueues again"},

	// Beside the layers.
	{"internal/testkit/stores", "internal/testkit", "the program around the package"},
	{"bench", "accounts", "it files people to look up and mails to send"},
	{"bench", "passwords", "it measures a sign-in with a hash that it makes"},
	{"bench", "contact", "who have numbers and addresses"},
	{"bench", "internal/testkit", "it measures on private servers"},
	{"bench", "limits", "it switches every limit off"},
	{"bench", "sandbox", "which plays the vendors, and counts"},
	{"bench", "secrets", "what is filed is sealed"},
	{"bench", "store/sqlstore", "it files people and mails as registrations do"},
	{"bench", "tasks", "it queues mails as registrations do"},
	{"captcha", "captcha/challenge", "what is kept of a challenge"},
	{"captcha/pow", "captcha/challenge", "a proof of work has a price"},
	{"api", "captcha/challenge", "a proof of work is a medium too"},
	{"api", "captcha/pow", "it asks for proofs of work"},
	{"app/front", "captcha/pow", "it builds the service"},
	{"captcha", "captcha/speech", "the recordings of its voices"},
	{"store/redisstore", "captcha/challenge", "it keeps what was asked"},
	{"internal/captchabench", "captcha", "it measures how well machines read the challenges"},
	{"internal/captchabench", "captcha/speech", "a robot has the recordings too"},
	{"internal/speechgen", "captcha/speech", "it makes the recordings"},
	{"internal/testclient", "captcha/pow", "it does the work that is asked beside a picture"},
	{"internal/gendocs", "config", "the manual of the settings is made from their tags"},
	{"internal/gendocs", "providers/catalog", "and from those of the vendors"},
	{"*/*test", "internal/testkit", "conformance suites start what they test"},
}

// A home lets the packages in use the module behind the import path prefix lib, for the reason why.
type home struct {
	lib string
	in  []string
	why string
}

// homes are all imports from other modules that tests do not make. A library with one home can be replaced
// there.
var homes = []home{
	{"golang.org/x", []string{"*", "*/*", "*/*/*"}, "the Go project's own, as good as the standard library"},

	{"github.com/google/uuid", []string{"accounts", "store/sqlstore", "sandbox", "bench"}, "rows and messages go by ids that sort by time"},

	{"github.com/labstack/echo/v4", []string{"api"}, "HTTP is one face of the domain"},
	{"github.com/alexedwards/scs/v2", []string{"api", "store/redisstore"}, "a session is a matter of HTTP"},
	{"github.com/hibiken/asynq", []string{"queue", "tasks", "app", "app/front", "cmd/admin"}, "the queue is one way to run the domain"},
	{"github.com/hibiken/asynqmon", []string{"app/front"}, "the dashboard is on the operations port"},
	{"github.com/redis/go-redis/v9", []string{"store/redisconn", "store/redisstore", "app", "app/front", "queue", "tasks", "cmd/admin"}, "all keys have their TTL there"},
	{"github.com/jmoiron/sqlx", []string{"store/sqlstore"}, "all SQL is there"},
	{"github.com/lib/pq", []string{"store/sqlstore"}, "all SQL is there"},
	{"modernc.org/sqlite", []string{"store/sqlstore"}, "all SQL is there"},
	{"github.com/pressly/goose/v3", []string{"store/sqlstore"}, "all SQL is there"},
	{"github.com/alexedwards/argon2id", []string{"passwords"}, "hashes are made there"},
	{"github.com/mtibben/confusables", []string{"accounts"}, "user names are compared there"},
	{"github.com/golang/freetype", []string{"captcha"}, "the fonts of the challenges"},
	{"github.com/caarlos0/env/v11", []string{"config"}, "settings are read in one place"},
	{"github.com/prometheus/client_golang", []string{"app", "app/front", "tasks", "api", "reports"}, "the domain counts nothing itself; reports arrive in two processes and are counted alike"},
	{"go.opentelemetry.io/otel", []string{"telemetry", "api", "tasks", "providers", "app"}, "the domain makes no spans; only telemetry knows where they go"},
	{"github.com/labstack/echo/v4", []string{"bench"}, "floors are made of the same libraries, and of nothing else"},
	{"github.com/hibiken/asynq", []string{"bench"}, "the same"},
	{"github.com/redis/go-redis/v9", []string{"bench"}, "the same"},
	{"github.com/lib/pq", []string{"bench"}, "the same"},
	{"github.com/wneessen/go-mail", []string{"bench"}, "the same"},
	{"github.com/valyala/fasthttp", []string{"bench"}, "the load generator has to be light"},
	{"github.com/HdrHistogram/hdrhistogram-go", []string{"bench"}, "percentiles"},
	{"github.com/prometheus/procfs", []string{"bench"}, "processor time and memory of other processes"},
	{"github.com/go-logr/logr", []string{"telemetry"}, "the form in which OpenTelemetry complains"},
	{"github.com/aliyun/alibaba-cloud-sdk-go", []string{"providers/aliyun"}, "a vendor is one folder"},
	{"github.com/failsafe-go/failsafe-go", []string{"overload"}, "one package finds out how much is too much"},
	{"github.com/sony/gobreaker/v2", []string{"providers"}, "only the router spares a vendor that fails"},
	{"github.com/wneessen/go-mail", []string{"providers/smtp"}, "a vendor is one folder"},
	{"github.com/emersion/go-smtp", []string{"sandbox"}, "the mail server that is played"},
	{"github.com/emersion/go-sasl", []string{"sandbox"}, "how one signs in to it"},

	{"github.com/alicebob/miniredis/v2", []string{"internal/testkit", "cmd/dev"}, "never in production"},
	{"github.com/google/go-cmp", []string{"internal/testkit", "*/*test"}, "tests compare with it"},
	{"github.com/lib/pq", []string{"internal/testkit"}, "it creates databases"},
	{"github.com/redis/go-redis/v9", []string{"internal/testkit"}, "tests look at what is stored"},
	{"go.uber.org/goleak", []string{"internal/testkit"}, "tests look for leaks with it"},
}

// A ban keeps packages whose import path begins with one of the prefixes out of a program, however many
// imports away they are.
type ban struct {
	program  string
	prefixes []string
	why      string
}

var vendors = []string{
	"usher/providers/",
	"github.com/aliyun/",
	"github.com/wneessen/go-mail",
}

var front = []string{
	"usher/app/front",
	"usher/api",
	"usher/web",
	"usher/captcha/speech", // and with it captcha, which imports it
	"usher/board",
	"github.com/labstack/echo",
	"github.com/hibiken/asynqmon",
	"github.com/golang/freetype",
}

var development = []string{
	"usher/sandbox",
	"usher/internal/testkit",
	"github.com/alicebob/miniredis",
	"github.com/emersion/go-smtp",
	"testing",
}

var bans = []ban{
	{"cmd/api", vendors, "the API cannot send, even by mistake, and no vendor's key enters its process"},
	{"cmd/api", development, "what plays a part in development is no part of production"},
	{"cmd/worker", front, "a worker answers nobody: fonts, pages and the dashboard would be memory and attack surface for nothing"},
	{"cmd/worker", development, "what plays a part in development is no part of production"},
	{"cmd/admin", development, "what plays a part in development is no part of production"},
	{"cmd/sandbox", []string{"usher/providers", "usher/tasks", "usher/app", "usher/store"}, "a fake made of the real thing proves nothing"},
}
