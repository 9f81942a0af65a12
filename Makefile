# `make` alone lists the targets.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; \
	do $$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)
UV_VERSION := 0.13.8
BIN := .venv/bin
STAMP := .venv/.installed
# With the machine's certificates, as pip: some networks have their own.
UV := $(BIN)/python -m uv --quiet --system-certs
LOCK := $(UV) pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11
LOCK += --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help demo test soak up lint lock verify-deploy clean
.DELETE_ON_ERROR:

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; \
		do printf '  make %-13s %s\n' "$$name" "$$text"; done

demo: $(STAMP) ## Start everything here, ingest samples/ over HTTP, search it, show the cost, stop.
	@$(BIN)/dbrag demo

test: $(STAMP) ## Run every test that needs neither an accelerator nor the internet.
	@$(BIN)/python -m pytest tests

MINUTES ?= 30
soak: $(STAMP) ## Strike a running stack at random for MINUTES=30 (SEED=7 repeats a run), check everything, write soak.md.
	@$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

up: $(STAMP) ## Start everything here and leave it running until Ctrl-C; addresses in .dbrag/stack.json.
	@$(BIN)/dbrag up

lint: $(STAMP) ## Check style, types and the import contracts.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

lock: $(STAMP) ## Pin in locks/ what pyproject.toml asks for; `make lock LOCK_OPTIONS=--upgrade` for the newest.
	$(LOCK) $(LOCK_OPTIONS) pyproject.toml --output-file locks/production.txt
	$(LOCK) $(LOCK_OPTIONS) pyproject.toml --all-extras --output-file locks/development.txt
	echo 'setuptools>=80' | $(LOCK) $(LOCK_OPTIONS) - --output-file locks/build.txt

verify-deploy: ## Build the images, start docker-compose.prod.yml, use it and remove it; needs a Docker engine.
	@deploy/verify

clean: ## Remove the virtual environment, the stack's data and what tools left; stop the stack first.
	@if [ -f .dbrag/postgres-18.elsewhere ]; then rm -rf "$$(cat .dbrag/postgres-18.elsewhere)"; fi
	rm -rf .venv .dbrag .pytest_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info

# The last line makes it complete: an interrupted installation is done again. Compiled here, or each of the stack's
# processes would do so at its start (13 s until it is ready instead of 26 s).
$(STAMP): pyproject.toml locks/development.txt
	@$(or $(PYTHON),false) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		echo "dbrag needs Python 3.11 or newer ($(or $(PYTHON),none found)): make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@echo "Installing into .venv …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(UV) pip install --compile-bytecode --require-hashes -r locks/development.txt
	@$(UV) pip install --no-deps --editable .
	@touch $@
