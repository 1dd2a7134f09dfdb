# `make lab` and `make test` are the two commands to know. Each sets up what it needs on the first
# run (.venv, from constraints.txt) and starts at once from then on.
#
#   make lab STAGE=3            another stage
#   make test ARGS='-k ring'    what to hand to pytest
#   make lab PYTHON=/a/python3  the Python to build .venv with

STAGE ?= 4
PYTHON ?=
ARGS ?=

VENV := .venv
# Always `python -m`, never the scripts beside it: those hold an absolute path, and break when the folder moves.
RUN := $(VENV)/bin/python -m
READY := $(VENV)/.ready
CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python)
READY_DOCS := $(VENV)/.ready-docs

# In containers Python is often told not to keep what it has compiled; each node would then compile kvlab again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help lab test check bench site clean

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1	\2/'

lab: $(READY)  ## open the lab: five real nodes of stage 4 in one terminal
	@$(RUN) kvlab lab $(STAGE)

test: check  ## lint, types and all tests
	$(RUN) pytest $(ARGS)

check: $(READY)  ## lint and types only
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	@echo 'The types of all of it: up to a minute the first time, then some seconds.'
	$(RUN) mypy

bench: $(READY)  ## measure: against redis-server (if installed), start-up, simulator
	@$(RUN) bench $(ARGS)

site: $(READY_DOCS)  ## build the course site into site/
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict
	@# A page that fetched anything from another host would not be readable without a network.
	@! grep -rnEo --include='*.html' '<(script|link|img|iframe|source)[^>]+(src|href)="?(https?:)?//[^ >]+' site
	@! grep -rnEo --include='*.css' '(@import|url\()[^;)]*(https?:)?//[^;)]+' site

clean:  ## remove .venv and everything else that can be made again
	rm -rf $(VENV) build dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Begun anew each time, so that a half-made .venv (no network, Ctrl-C) mends itself.
$(READY): pyproject.toml constraints.txt
	@echo 'Setting up .venv, once: some 50 packages, half a minute to a few minutes.'
	@rm -rf $(VENV)
	@fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; \
	if [ -z '$(PYTHON)' ] && command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --no-project --python '>=3.11,<3.14' $(VENV) || exit 1; \
	else \
	  found=; for python in $(CANDIDATES); do \
	    if "$$python" -c "$$fits" >/dev/null 2>&1; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo 'kvlab needs Python 3.11, 3.12 or 3.13; tried, and none fits: $(CANDIDATES).' >&2; \
	    echo 'Install one, or uv (which brings its own); or name one: make lab PYTHON=/path/to/python3.12' >&2; \
	    exit 1; \
	  fi; \
	  "$$found" -m venv $(VENV) || { \
	    echo "$$found cannot make a virtual environment. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; \
	    rm -rf $(VENV); exit 1; \
	  }; \
	fi
	@$(call install,dev)
	@$(RUN) compileall -q kvlab
	@touch $@

$(READY_DOCS): $(READY)
	@$(call install,docs)
	@touch $@

define install
if [ -e $(VENV)/bin/pip ]; then \
  $(RUN) pip install --disable-pip-version-check -c constraints.txt -e '.[$(1)]'; \
else \
  uv pip install --compile-bytecode --python $(VENV)/bin/python -c constraints.txt -e '.[$(1)]'; \
fi
endef
