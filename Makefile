# The one front door. `make` alone lists what there is.
#
#   ARGS       words for `make up`, e.g. make up ARGS='--home /tmp/logs --collect /srv/app/log'
#   PYTHON     the interpreter that .venv is made with (3.11 or newer)
#   KERNEL     `make up KERNEL=pure` leaves the native kernel out

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/done
# uv installs in seconds; where it does not exist pip does the same, slower
INSTALL = $(BIN)/python -m $(shell [ -x $(BIN)/uv ] && echo uv) pip install --quiet --constraint constraints.txt
KERNEL ?= $(if $(shell command -v cargo),native,pure)
ENGINE := $(DONE)/kernel-$(KERNEL)
PYTEST := $(BIN)/pytest -n 2 --dist worksteal
BENCHES := $(foreach name,kernel agent ingest query neighbours latency,$(wildcard bench/$(name).py))
# the yardstick in C that bench/agent.py runs beside the agent; programs whose real logs are read; what sees every write of a process;
# what checks a service's unit
PEER_PACKAGES := gcc libc6-dev liblz4-dev libssl-dev libzstd-dev nginx-light apache2 rsyslog strace systemd util-linux procps passwd init-system-helpers faketime tinyproxy libnss-myhostname nodejs postgresql \
  default-jdk-headless maven

ifeq ($(KERNEL),pure)
export TAILRACE_PURE := 1
endif
export UV_LINK_MODE := copy
# certificates that this machine trusts are trusted, as pip does: behind a proxy of a company there is no other way
export UV_SYSTEM_CERTS := 1
export UV_COMPILE_BYTECODE := 1
export PYTHONUNBUFFERED := 1

.PHONY: $(DONE)/kernel-pure help up test test-peers test-long test-pure check format bench docs kernel lock setup-peers clean

help: ## what this file can do
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

up: $(DONE)/bytecode $(ENGINE) ## start everything on this machine: server, agent, first logs
	$(BIN)/tailrace up $(ARGS)

test: $(DONE)/dev $(ENGINE) ## lint, then the tests (some 15 minutes on two cores)
	$(BIN)/ruff check
	$(PYTEST) -m 'not long and not peer' $(ARGS)

test-peers: $(DONE)/dev $(ENGINE) ## tests beside other programs, which `make setup-peers` installs
	$(BIN)/pytest -m 'peer and not long' $(ARGS)

test-long: $(DONE)/dev $(ENGINE) ## what takes minutes: long crash runs
	$(BIN)/pytest -m long --timeout 3600 $(ARGS)

test-pure: $(DONE)/dev ## the agent on the pure-Python engine (about 4 minutes)
	TAILRACE_PURE=1 $(PYTEST) -m 'not long' tests/unit/agent tests/integration/agent/test_agent_{delivery,killed,positions}.py $(ARGS)

check: $(DONE)/dev ## lint, format and types, of Python and Rust; what only Rust can test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright
	$(if $(filter native,$(KERNEL)),cd kernel && cargo fmt --check && cargo clippy --release --quiet --all-targets -- -D warnings && cargo test --release --quiet)

format: $(DONE)/dev ## put Python and Rust into their standard layout
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(if $(filter native,$(KERNEL)),cd kernel && cargo fmt)

bench: $(DONE)/dev $(ENGINE) ## the benchmarks; each prints a table and a line of JSON
	@for bench in $(BENCHES); do echo "$(BIN)/python $$bench"; $(BIN)/python $$bench; done

docs: $(DONE)/dev ## write the generated reference pages anew
	$(BIN)/python -m tailrace.pipeline.reference docs/reference/plugins
	$(BIN)/python -m tailrace.agent.settings.page docs/reference/agent-settings.md
	$(BIN)/python -m tailrace.telemetry.page docs/reference/alarms.md
	$(BIN)/python -m tailrace.server.query.sql.page docs/reference/sql-functions.md
	$(BIN)/python -m tailrace.server.api.page docs/reference/actions.md

kernel: $(DONE)/kernel-native ## build and install the native kernel

lock: $(DONE)/dev ## write constraints.txt anew from pyproject.toml
	@echo "# Exact versions of everything that \`make\` installs; \`make lock\` writes this file from pyproject.toml." > $(DONE)/lock
	$(BIN)/uv pip compile pyproject.toml --extra server --group dev --universal --python-version 3.11 --upgrade --no-annotate --no-header --quiet >> $(DONE)/lock
	mv $(DONE)/lock constraints.txt

setup-peers: ## install what benches and peer tests need beside Python and Rust (Debian, as root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PEER_PACKAGES)
	command -v npm > /dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm
	$(PYTHON) -m venv $(VENV)/peers/cli
	$(VENV)/peers/cli/bin/pip install --quiet aliyun-log-cli==0.2.10
	$(PYTHON) -m venv $(VENV)/peers/schemathesis
	$(VENV)/peers/schemathesis/bin/pip install --quiet schemathesis==4.32.5
	mkdir -p $(VENV)/peers/node
	npm install --silent --no-audit --no-fund --prefix $(VENV)/peers/node @alicloud/log@1.2.6
	mvn --quiet --batch-mode --file tests/peers/java/pom.xml dependency:copy-dependencies -DoutputDirectory=$(abspath $(VENV))/peers/java
	command -v go > /dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends golang-go
	cd tests/peers/go && go build -buildvcs=false -o $(abspath $(VENV))/peers/go .

clean: ## remove what was built: .venv, caches, the kernel's target
	rm -rf $(VENV) kernel/target .pytest_cache .ruff_cache .hypothesis dist build

# What is installed leaves a file in .venv/done, so that the next call is quick.

$(DONE)/venv:
	@[ -n "$(PYTHON)" ] || { echo "error: no Python 3.11 or newer on PATH"; echo "hint: install one, or name it: make PYTHON=/path/to/python3"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv || $(BIN)/python -m pip install --quiet --upgrade pip
	@mkdir -p $(DONE) && touch $@

$(DONE)/server: $(DONE)/venv pyproject.toml constraints.txt
	$(INSTALL) --editable '.[server]'
	@touch $@

# our own modules as bytecode: half of the CPU of an agent's start is compiling them otherwise, also where PYTHONDONTWRITEBYTECODE is set
$(DONE)/bytecode: $(DONE)/server $(shell find src -name '*.py')
	$(BIN)/python -m compileall -q src
	@touch $@

$(DONE)/dev: $(DONE)/server | $(DONE)/bytecode
	$(INSTALL) --group dev
	@touch $@

$(DONE)/kernel-native: $(DONE)/server kernel/pyproject.toml kernel/Cargo.toml kernel/Cargo.lock $(shell find kernel/src kernel/.cargo -type f)
	@$(INSTALL) --force-reinstall --no-deps ./kernel || { echo "error: the native kernel cannot be built with $$(cargo --version 2>&1 | head -n 1)"; \
	  echo "hint: it needs Rust 1.88 or newer and a C compiler; \`make $(or $(MAKECMDGOALS),up) KERNEL=pure\` goes without it, slower"; exit 1; } >&2
	@touch $@

$(DONE)/kernel-pure: $(DONE)/server
	@echo "note: no cargo here (or KERNEL=pure): without the native kernel Tailrace runs on its pure-Python engine, which is slower"
