# Two commands do all the set-up on a fresh machine with Python 3.11 or later: `make demo` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory

# Settings: `make demo PYTHON=python3.12`, `make test WORKERS=4`, `make results RESULTS=--quick`.
PYTHON ?=
VENV ?= .venv
WORKERS ?= 2
DEMO ?= demo-output
PYTEST ?=
RESULTS ?=

PY := $(VENV)/bin/python
# The environment's own pip reads the exact versions from here, for what it builds with as well.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
PIP := $(PY) -m pip install
# Prints the names of a dependency group of pyproject.toml; pip knows groups only since 25.1.
GROUP = $(PY) -c 'import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"][sys.argv[1]])'
SAY = @printf '==> %s\n'

.PHONY: help demo test check pytest bench bench-ledger bench-bundle bench-gateway bench-radioactivity results docs picture clean distclean install install-test install-bench bench-marks

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: install ## simulate an incident, detect it, show the campaigns, write the report
	$(SAY) "running the demonstration; the first run compiles the sketch kernels"
	@$(VENV)/bin/stillwatch demo --out "$(DEMO)"

test: install-test ## install what the tests need, and run everything
	@.ci/system-packages java chromium postgresql openssl go poppler redis
	@$(MAKE) check
	@$(MAKE) pytest
	$(SAY) "all checks and tests passed"

check: install-test ## lint, format and types
	$(SAY) "ruff"
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	$(SAY) "mypy --strict"
	@$(VENV)/bin/mypy

pytest: install-test ## the tests alone; PYTEST='tests/unit -x' for some of them
	$(SAY) "pytest with $(WORKERS) processes"
	@$(VENV)/bin/pytest -n "$(WORKERS)" --dist loadscope $(PYTEST)

bench: install-bench ## sketch throughput beside other libraries; the whole detection at 0.1, 1 and 10 million exchanges
	@mkdir -p build/benchmarks
	$(SAY) "sketch throughput"
	@$(PY) -m benchmarks.sketch_throughput --out build/benchmarks/sketch_throughput.json
	$(SAY) "detection at scale"
	@$(PY) -m benchmarks.detect_scale --out build/benchmarks/detect_scale.json

bench-ledger: install-bench ## the ledger: entries a second in batches, and a proof at 1 and 10 million entries
	@mkdir -p build/benchmarks
	@$(PY) -m benchmarks.ledger_speed --out build/benchmarks/ledger_speed.json

bench-bundle: install-bench ## the enforcement bundle: loading and look-ups at a million accounts, beside a dict
	@mkdir -p build/benchmarks
	@$(PY) -m benchmarks.enforcement_bundle --out build/benchmarks/enforcement_bundle.json

bench-gateway: install-bench ## the gateway: what guard, middleware and reverse proxy add to a request, open loop
	@mkdir -p build/benchmarks
	@$(PY) -m benchmarks.gateway_latency --out build/benchmarks/gateway_latency.json

# Wheels are fetched but never installed: benchmarks/marks_peers.py takes out the modules of the detectors alone.
PEER_WHEELS := vllm==0.33.0 sglang==0.5.23 synthid-text==0.2.1 markllm==0.1.5 textseal==0.0.5 msgspec==0.22.0

bench-marks: install-bench ## detection of marks on one core, beside vLLM, SGLang, transformers, synthid-text, MarkLLM and textseal
	@mkdir -p build/benchmarks build/peers/wheels
	@$(PIP) --editable '.[marks,models]'
	@PIP_CONSTRAINT= $(PY) -m pip download --quiet --no-deps --dest build/peers/wheels $(PEER_WHEELS)
	@$(PY) -m benchmarks.marks_speed --wheels build/peers/wheels --out build/benchmarks/marks_speed.json

bench-radioactivity: install-bench ## radioactivity: students of marked answers, and controls; about ten minutes of one core
	@mkdir -p build/benchmarks
	@$(PIP) --editable '.[marks,models]'
	@$(PY) -m benchmarks.radioactivity_study --out build/benchmarks/radioactivity_study.json

results: install-bench ## measure everything that docs/results.md states; RESULTS=--quick to see that it runs
	$(SAY) "measuring; this takes long"
	@$(PY) -m benchmarks.results $(RESULTS)

docs: install-test ## make the pages of docs/ that show the code again
	@mkdir -p build
	@$(PY) -m stillwatch.cli.command_reference > build/commands.md && mv build/commands.md docs/
	@$(PY) docs/formats_page.py > build/formats.md && mv build/formats.md docs/
	@$(PY) docs/detection_page.py > build/detection.md && mv build/detection.md docs/
	@$(PY) tests/journey/following.py --write

picture: demo ## make docs/picture.png again from the demonstration; needs Chromium
	@chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1080,1105 \
	  --screenshot="$(CURDIR)/docs/picture.png" "file://$$(realpath "$(DEMO)")/case/report.html"

install: $(VENV)/.installed

install-test: $(VENV)/.installed-test

install-bench: $(VENV)/.installed-bench

$(PY):
	@chosen=; \
	for candidate in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then chosen=$$candidate; break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
	  echo "==> found no Python 3.11 or later; install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	if ! "$$chosen" -c 'import ensurepip, venv' 2>/dev/null; then \
	  .ci/system-packages "venv:$$("$$chosen" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"; \
	fi; \
	echo "==> making $(VENV) with $$chosen ($$("$$chosen" --version))"; \
	"$$chosen" -m venv "$(VENV)"

$(VENV)/.installed: pyproject.toml constraints.txt | $(PY)
	$(SAY) "installing stillwatch"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/.installed
	$(SAY) "installing what the tests need"
	@$(PIP) --editable '.[gateway,spark,postgres,sharing,private-intersection,marks]' $$($(GROUP) test)
	@touch $@

$(VENV)/.installed-bench: pyproject.toml constraints.txt | $(VENV)/.installed
	$(SAY) "installing what the benchmarks need"
	@$(PIP) $$($(GROUP) bench)
	@touch $@

clean: ## remove what was made, but not the environment
	rm -rf build dist "$(DEMO)" .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache spark-warehouse metastore_db derby.log
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment too
	rm -rf "$(VENV)"
