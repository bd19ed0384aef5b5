# What there is to do here. `build`, `up`, `run`, `sh`, `logs` and `down` are for the compose stack.

compose := `docker compose version >/dev/null 2>&1 && echo 'docker compose' || echo docker-compose`

# Lists this
default:
    @just --list

# Builds the stack's images
build:
    AUTOSCALER_COMMIT="$(git rev-parse --short=12 HEAD)" {{compose}} build

# Starts the stack in the background, with so many workers
up workers='1':
    {{compose}} up --detach --scale worker={{workers}}

# Runs a command of `worker` in the stack, such as: just run status --watch
run *command='status':
    {{compose}} exec worker worker {{command}}

# Opens a shell in a service's container; the images of ingest and worker have none
sh service='redis':
    {{compose}} exec {{service}} sh

# Shows what the stack says
logs *services:
    {{compose}} logs --follow {{services}}

# Stops the stack; its queue stays
down:
    {{compose}} down

# Shows a first job on its way, or runs against GitHub where `.env` has credentials
demo *options:
    ./devstack/up {{options}}

# Runs everything that CI does
test:
    ./devstack/test

# Kills, freezes and cuts off all there is while jobs run, and compares the queue with a model; prints what became of the jobs
faults *filter:
    cargo build --locked --workspace --bins
    cargo test --locked --workspace --test model --test faults -- --nocapture {{filter}}

# Measures what a delivery costs, against servers that do the least that is needed
bench *options: (measure "ingest" options)

# Measures the parts of a delivery that need neither a socket nor the queue
bench-parts *options:
    cargo bench --profile quick --locked --package devstack --bench parts -- {{options}}

# Counts the instructions that a delivery takes; `--json devstack/count.json` puts them on record
bench-count *options:
    cargo build --profile quick --locked --package ingest
    cargo build --locked --package devstack
    "$(just target)/debug/devstack" bench count --ingest "$(just target)/quick/ingest" {{options}}

# Measures how long a runner takes to start against direct calls to the engine, one by one and many at once, and what the processes take
bench-start *options: (measure "start" options)

# Measures what the queue's operations cost, empty and with a million jobs waiting
bench-queue *options: (measure "queue" options)

# Measures how long commands and pages take to show what there is, with 100,000 jobs on record
bench-look *options: (measure "look" options)

[private]
measure what *options:
    cargo build --release --locked --workspace --bins
    "$(just target)/release/devstack" bench {{what}} {{options}}

[private]
target:
    @cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'

# Format and lints
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# What comes in from outside; takes the programs cargo-deny and cargo-machete
deps:
    cargo deny check
    cargo machete
