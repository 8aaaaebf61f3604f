# Everything happens in .venv; a bare machine needs git, make and Python >= 3.11 with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_FLAGS := --quiet --disable-pip-version-check
# Tests run in as many processes as there are processors: those that race have an attacker's besides.
PROCESSES := -n auto --maxprocesses 4 --dist worksteal

.PHONY: demo test check format tools prove mutants bench docs comparison clean

demo: $(VENV)/.demo
	$(BIN)/safefs demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(PROCESSES) --cov --cov-report= --cov-config=pyproject.toml $(ARGS)
	$(BIN)/python -m coverage report --include='safefs/paths.py,safefs/policy.py,safefs/root.py,safefs/kernel/*,safefs/operations/*' --fail-under=95 --precision=1

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Everything at its full counts, and one table: docs/proof.md. About an hour on two cores.
prove: $(VENV)/.prove
	$(BIN)/python -m tests.prove $(ARGS)

# safefs broken on purpose, one way at a time and in a jail; which test notices each.
mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutants $(ARGS)

# safefs beside plain os and beside others, in the short form: at most five minutes on two cores.
# The whole, with trees of 100,000 files: make bench FORM=.
FORM ?= --quick
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(FORM) $(ARGS)

# docs/api.md, from the docstrings.
docs: $(VENV)/.dev
	$(BIN)/python docs/make_api.py

# docs/comparison.md: safefs and others under attack, in a jail; some minutes.
comparison: $(VENV)/.comparison
	$(BIN)/python -m tests.comparison

# Programs of Debian that tests use as real clients; without root, those tests skip by name.
TOOLS := strace e2fsprogs btrfs-progs xfsprogs age gnome-keyring dbus dbus-daemon curl litmus cadaver rclone
tools:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  for tool in strace mkfs.ext4 mkfs.btrfs mkfs.xfs age age-keygen gnome-keyring-daemon dbus-run-session curl litmus cadaver rclone; do command -v $$tool >/dev/null || missing=1; done; \
	  test -z "$$missing" || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(TOOLS); }; \
	else echo "make tools: not root on Debian, so tests that need one of $(TOOLS) will skip"; fi

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.prove: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[dev,fuzz]'
	@touch $@ $(VENV)/.dev $(VENV)/.demo

$(VENV)/.comparison: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[dev,comparison]'
	@touch $@ $(VENV)/.dev $(VENV)/.demo

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[dev,bench]'
	@touch $@ $(VENV)/.dev $(VENV)/.demo

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
