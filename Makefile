# Needs python3 (3.11 or newer, with venv) and make, nothing else: every target installs what it uses into .venv.
# Another Python:      make test PYTHON=python3.13
# Arguments through:   make test ARGS="tests/test_packaging.py -x"
PYTHON ?= python3
ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: demo test test-fast lint format bench notebooks clean help

demo: $(VENV)/.installed-all  ## train LeNet-5 on real digits and draw it, into out/lenet/
	@$(RUN) -m nn train lenet $(ARGS)

test: $(VENV)/.installed-dev  ## the complete test suite
	@$(RUN) -m pytest -n 2 --dist worksteal $(ARGS)

test-fast: $(VENV)/.installed-dev  ## the tests that take milliseconds: under a minute
	@$(RUN) -m pytest -m "not slow" $(ARGS)

lint: $(VENV)/.installed-dev  ## ruff (rules and format), mypy, and which floor may import which
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

format: $(VENV)/.installed-dev  ## let ruff rewrite what `make lint` would complain of
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

bench: $(VENV)/.installed-all  ## the benchmarks (against PyTorch where it is installed)
	@$(RUN) -m benchmarks $(ARGS)

notebooks: $(VENV)/.installed-all $(VENV)/.installed-notebooks  ## run every notebook from top to bottom
	@set -e; ran=0; for notebook in notebooks/*.ipynb; do \
	  [ -f "$$notebook" ] || continue; \
	  $(VENV)/bin/jupyter execute "$$notebook"; ran=$$((ran + 1)); \
	done; echo "Notebooks run from top to bottom: $$ran"

clean:  ## remove .venv, caches and builds (out/, with what you trained, stays)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

# One stamp for each extra, older than pyproject.toml when that changed.
$(VENV)/.installed-%: pyproject.toml | $(RUN)
	@echo "Installing ngrad[$*] into $(VENV) (the first time takes a minute or two) ..."
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

# The range of Pythons is pyproject.toml's; asked before .venv is made, so that a wrong one leaves nothing behind.
define CHECK_PYTHON
import re, sys
low, end = map(int, re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', open("pyproject.toml").read()).groups())
if not (3, low) <= sys.version_info[:2] < (3, end):
    sys.exit("ngrad needs Python 3.%d to 3.%d, and $(PYTHON) is %s; name another: make PYTHON=python3.%d"
             % (low, end - 1, sys.version.split()[0], low + 2))
endef
export CHECK_PYTHON

$(RUN):
	@command -v "$(PYTHON)" >/dev/null || { echo "No $(PYTHON) found; name one: make PYTHON=python3.13"; exit 1; }
	@"$(PYTHON)" -c "$$CHECK_PYTHON"
	@echo "Creating $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) has no venv; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
