# Two commands matter: `make demo` and `make test`. Both install what they need, on a fresh Debian as root.
SHELL := /bin/sh
BIN := .venv/bin

.PHONY: demo test test-all lint unit fleet scenarios scenarios-all bench clean

demo: .venv/installed
	$(BIN)/fab lab.up
	$(BIN)/fab demo

test: lint unit fleet scenarios

# As test, with the scenarios that are too slow for every run.
test-all: lint unit fleet scenarios-all

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy aerodrome tasks lab fabfile.py tests benchmarks tools probes

# No network, no root.
unit: .venv/installed-dev
	$(BIN)/pytest -q tests/unit tests/tasks

# Real hosts on this machine: root, and what `fab lab.up` installs.
fleet: .venv/installed-dev
	$(BIN)/pytest -x tests/fleet

# Versions, executors and brokers, each from bare hosts; they need what fleet needs.
scenarios: .venv/installed-dev
	$(BIN)/pytest -x tests/scenarios -m "not slow"

scenarios-all: .venv/installed-dev
	$(BIN)/pytest tests/scenarios

bench: .venv/installed-dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

.venv/bin/python:
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo 'installing python3-venv, which this needs'; apt-get update -q && apt-get install -q -y python3-venv; }
	python3 -m venv .venv

.venv/installed: .venv/bin/python requirements.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	touch $@
