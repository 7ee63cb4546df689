# The door: everything a person or CI does with this project has a name here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast check bench lint format format-check types migrations migration migrate lock clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=…") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what is needed into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## Install what is needed into .venv

demo: $(STAMP) ## Start both sandboxes, connect, sync all members (ARGS="--members 5000 --once")
	@$(BIN)/aurora-sync demo $(ARGS)

test: $(STAMP) ## Run the tests (ARGS=… goes to pytest)
	@$(BIN)/python -m pytest -m "not bench" -n 2 $(ARGS)

test-fast: $(STAMP) ## Run the tests that start no worker processes
	@$(BIN)/python -m pytest -m "not bench and not e2e" -n 2 $(ARGS)

bench: $(STAMP) ## Measure speed, calls and memory (docs/benchmarks.md)
	@$(BIN)/python -m tests.bench $(ARGS)

lint: $(STAMP) ## Lint
	@$(BIN)/ruff check .

format: $(STAMP) ## Format, and mend what lint can mend
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

format-check: $(STAMP)
	@$(BIN)/ruff format --check .

types: $(STAMP) ## Check types
	@$(BIN)/mypy

migrations: $(STAMP) ## Check that models and migrations agree, and that the newest goes down and up
	@$(BIN)/python -m tests.check_migrations

migration: $(STAMP) ## Draft a migration: make migration name="add threads"
	@$(BIN)/alembic revision --autogenerate -m "$(name)"

migrate: $(STAMP) ## Bring the configured database up to date
	@$(BIN)/aurora-sync db upgrade

check: format-check lint types migrations test ## Everything CI runs, in the same order

lock: ## Renew the lock files (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.lock --upgrade
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.lock --upgrade

clean: ## Remove what setup and the tests left
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
