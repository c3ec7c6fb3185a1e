# Everything a newcomer needs: `make demo` shows it, `make test` proves it. Each target does its own set-up.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# One worker more than there are processors, and for the thorough tests twice as many: those wait for processes and
# servers half of their time.
WORKERS = $(shell $(BIN)/python -c 'import os; print(os.cpu_count() + 1)')
thorough: WORKERS = $(shell $(BIN)/python -c 'import os; print(os.cpu_count() * 2)')
READY := .venv/.ready

# Tests commit thousands of times to databases in small files: in memory, where there is room, that does not wait for a disk.
MEMORY := $(shell df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000 {print "/dev/shm"}')
# Hundreds of processes import the package: with its bytecode kept, only the first compiles it.
unexport PYTHONDONTWRITEBYTECODE
PYTEST = $(if $(MEMORY),TMPDIR=$(MEMORY)) $(BIN)/python -m pytest -n $(WORKERS)
BENCH = $(BIN)/python -m

# The demo's workspace is the local sandbox; for a real one, set these in the environment or in `.env`.
export CUSTOMERIO_SITE_ID ?= sandbox
export CUSTOMERIO_TRACK_API_KEY ?= sandbox
export CUSTOMERIO_APP_API_KEY ?= sandbox

.PHONY: help setup demo ui docs test coverage thorough check soak bench bench-peers servers lock sbom audit clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## a virtual environment in .venv with the locked packages and the command reverse-etl

$(READY): requirements.lock pyproject.toml
	@deploy/venv "$(PYTHON)"
	@echo "Installing the locked packages into .venv. The first time this takes some minutes."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup      ## sample shop -> sandbox workspace, end to end; EXAMPLE=health: scores -> Salesforce, Intercom, Slack; EXAMPLE=d2c: a consumer shop's events
	$(BIN)/reverse-etl demo $(if $(EXAMPLE),--example $(EXAMPLE))

ui: setup        ## Dagster's UI with the syncs of ./syncs, on http://127.0.0.1:3000
	$(BIN)/reverse-etl ui

docs: setup      ## the documentation with a search, on http://127.0.0.1:8000
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve --strict

servers:         ## Debian packages that the tests start servers and a browser from (needs root)
	@deploy/test-packages

# A file's tests go to one worker, so that the server they need is started once.
TESTS = --dist loadfile --no-loadscope-reorder

test: setup servers  ## the tests of every room, on real database servers
	$(PYTEST) $(TESTS)

# Twice the time of `make test`.
coverage: setup servers  ## the same tests, and the branches that they cover: at least 90 %
	$(PYTEST) $(TESTS) --cov --cov-report=term:skip-covered

# A worker that is done takes half of what another one has left: some tests take a minute, most a second.
thorough: setup servers  ## the tests that take longer: every fault scenario, resuming, retrying, flat memory
	$(PYTEST) -m thorough --dist worksteal

check: setup     ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: setup      ## 100,000 rows through scripted faults
	$(BIN)/python -m reverse_etl_tests.faults soak

bench: setup servers ## rows/s, processor seconds and memory; CASE=whole (RUNS=3, CASES=100k,1m) or scale: these alone, into docs
	$(BENCH) reverse_etl_tests.benchmarks$(CASE:%=.%) $(if $(filter whole,$(CASE)),$(RUNS:%=--runs %) $(CASES:%=--cases %))

bench-peers: setup servers ## the same work by drt, with batches and latencies of two sizes
	$(BENCH) reverse_etl_tests.benchmarks.whole.peers $(RUNS:%=--runs %)

lock: setup      ## resolves requirements.lock anew (versions and hashes, no addresses)
	$(BIN)/uv pip compile -q pyproject.toml --all-extras --strip-extras --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --python-version 3.11 -o requirements.lock

SBOM = dist/sbom.json

sbom: setup      ## dist/sbom.json, a bill of materials (CycloneDX): every package of the environment with its version and licence
	@mkdir -p $(dir $(SBOM))
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o $(SBOM) $(BIN)/python

audit: setup     ## known vulnerabilities of the locked packages, as PyPI reports them (needs the network)
	$(BIN)/python -m reverse_etl_tests.audit $(if $(CI),--offline-is-no-failure)

clean:           ## forgets the environment and everything the demo made
	rm -rf .venv .reverse_etl .site dist
