# make run     a server with a demo stream, from nothing but Python 3.11 and make
# make test    the tests         make lint    format, style, types, layers        make test-whole   more of the real peers
# make bench   the figures       make soak    30 minutes of one stream, 20 of a ladder        make fuzz   an hour of fuzzing
#
# Everything is installed into .venv; stamp files make the second run quick. `make run ARGS='--edge.http.port 8090'`
# hands settings on, `make test PYTEST='tests/unit -x'` chooses tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Setuptools warns of folders that are not packages (hls.js) and of editable installs; both are meant.
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check
VENDOR := origin/pages/vendor/.fetched
ARGS ?=
# `make soak SOAK=ladder-soak` runs one of them; `srt-soak` is ten minutes of SRT over a bad network in Chromium,
# `prometheus-soak` ten minutes of Prometheus at an origin and two edges.
SOAK ?= soak ladder-soak
PYTEST ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test test-whole srt-matrix lint format bench soak fuzz docs pin vendor wheel clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -n 6

setup: $(VENV)/.dev $(VENDOR)

run: $(VENV)/.runtime $(VENDOR)
	@exec $(BIN)/headwater up --demo $(ARGS)

test: $(VENV)/.dev $(VENDOR)
	@.ci/need chromium:chromium srt-live-transmit:srt-tools promtool:prometheus /usr/sbin/nginx:nginx curl:curl
	@.ci/tests $(BIN)/python $(PYTEST)

# More sources, players, switches and networks than in `make test`, and the package as the Dockerfile makes it.
test-whole: export TEST_PEERS = whole
test-whole: test

# Every SRT caller with every key length on every bad network; `make test` runs a part of it.
srt-matrix: $(VENV)/.dev
	@.ci/need srt-live-transmit:srt-tools
	@TEST_PEERS=whole $(BIN)/python -m pytest tests/peers/test_srt_matrix.py $(PYTEST)

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev
	@.ci/need /usr/sbin/nginx:nginx /usr/lib/nginx/modules/ngx_rtmp_module.so:libnginx-mod-rtmp \
		srt-live-transmit:srt-tools /usr/sbin/varnishd:varnish h2load:nghttp2-client
	@case ' $(ARGS) ' in *' chain '*) .ci/need chromium:chromium;; esac
	@$(BIN)/python -m headwater.loadtest.bench $(ARGS)

soak: $(VENV)/.dev
	@case ' $(SOAK) ' in *' srt-soak '*) .ci/need chromium:chromium;; esac
	@case ' $(SOAK) ' in *' prometheus-soak '*) .ci/need promtool:prometheus;; esac
	@$(BIN)/python -m headwater.loadtest.bench $(SOAK) $(ARGS)

fuzz: $(VENV)/.dev
	@TEST_FUZZ=deep $(BIN)/python -m pytest tests/fuzz tests/talk/test_ladder_day.py -n auto --timeout 3600 $(PYTEST)
	@TEST_FUZZ=deep $(BIN)/python -m pytest tests/peers/test_srt_hostile.py $(PYTEST)

# Rewrites the generated part of the documentation: docs/configuration.md
docs: $(VENV)/.runtime
	@$(BIN)/headwater config show --markdown > docs/configuration.md

vendor: $(VENDOR)

wheel: $(VENV)/bin/python $(VENDOR)
	@$(PIP) wheel --quiet --no-deps --wheel-dir dist .

# Takes the newest versions that pyproject.toml allows and pins them.
pin: $(VENV)/bin/python
	@$(PIP) install --quiet --upgrade --editable '.[dev]'
	@{ sed -n '/^#/p' constraints.txt; $(PIP) freeze --exclude-editable --all | grep -Ev '^(#|pip==)'; } > constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) .cache build dist *.egg-info node_modules origin/pages/vendor

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Headwater needs Python 3.11 or newer. If there is one by another name: make run PYTHON=python3.12' >&2; exit 1; }
	@echo 'Creating $(VENV)'
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo 'Python has no venv module here; on Debian or Ubuntu: apt-get install python3-venv' >&2; exit 1; }

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo 'Installing Headwater into $(VENV)'
	@$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo 'Installing the development tools into $(VENV)'
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# The player page's hls.js, pinned in package.json and packed with the wheel. Without npm everything but the picture
# on that page works, and the page says what is missing.
$(VENDOR): $(wildcard package.json package-lock.json)
	@if command -v npm >/dev/null 2>&1; then \
		echo 'Fetching hls.js'; \
		npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && \
		mkdir -p $(@D) && cp node_modules/hls.js/dist/hls.min.js $(@D)/ && \
		cp node_modules/hls.js/LICENSE $(@D)/hls.js-LICENSE.txt && touch $@; \
	else \
		echo 'npm is not there: the player page will be without hls.js' >&2; \
	fi
