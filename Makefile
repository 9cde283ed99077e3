# Two commands are enough: `make demo` and `make test`. Each installs what it needs into .venv first.
#
#   make demo [ARGS=--once]   hub, embedded PostgreSQL, demo site, simulated plant and phones, live table
#   make test [ARGS=...]      all tests, on two processes; WORKERS=0: one after the other, in this one
#   make check                ruff, mypy strict, import contracts
#   make format               lay the code out
#   make load [ARGS=...]      load runs against the floor, report in load-out/
#   make clean                remove all that these made

SHELL      := /bin/bash
PYTHON     ?= python3
BIN        := .venv/bin
ARGS       ?=
# Test processes. The tests of one file stay together and in order.
WORKERS    ?= 2
# As root the embedded PostgreSQL runs as a user of its own, and its library opens every parent folder of the
# data for that user. So the demo keeps its data below the system's folder for temporary files.
DEMO_DATA  := $(realpath $(or $(TMPDIR),/tmp))/alarmhub-demo-$(shell id -u)
LOAD_OUT   ?= load-out

.PHONY: demo test check format load clean
.DEFAULT_GOAL := test

# The stamp is younger than pyproject.toml once everything is in; a second run installs nothing.
.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Alarmhub needs Python 3.11 or later; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	  || { echo "this Python has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: .venv
.venv: .venv/installed

demo: .venv/installed
	ALARMHUB_DATABASE__DATA_DIR="$(DEMO_DATA)" $(BIN)/python -m alarmhub demo $(ARGS)

test: .venv/installed
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadfile $(ARGS)

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

load: .venv/installed
	$(BIN)/python -m load run --out "$(LOAD_OUT)" $(ARGS)

# A demo that was killed leaves its PostgreSQL running; it is known by its folder, not by its number alone.
clean:
	@cluster="$(DEMO_DATA)/postgres"; \
	pid=$$(head -n 1 "$$cluster/postmaster.pid" 2>/dev/null || true); \
	if [ -n "$$pid" ] && [ "$$(readlink "/proc/$$pid/cwd")" = "$$cluster" ]; then \
	  echo "stopping the demo's PostgreSQL ($$pid)"; \
	  kill -INT "$$pid"; \
	  for _ in $$(seq 100); do kill -0 "$$pid" 2>/dev/null || break; sleep 0.1; done; \
	fi
	rm -rf "$(DEMO_DATA)" load-out tests-out .venv .ci/peers dist build
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
