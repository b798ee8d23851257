# Segserve: every command a person or CI uses. Needs make and Python 3.11, 3.12 or 3.13.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
REQ := deploy/requirements
RUN_PARTS := export serving gateway ui client
# What to install for parts: versions, so that any index will do; with HASHES=1 exactly the files that the locks name.
pins = $(foreach part,$(1),-r $(REQ)/$(if $(HASHES),locked/)$(part).txt)
# torch and torchvision are in no lock, because their builds differ from index to index: they come afterwards, by version.
install = $(PIP) $(if $(HASHES),--no-deps --only-binary :all:) $(call pins,$(1)) \
	$(if $(HASHES),&& $(PIP) $(1:%=-r $(REQ)/%.txt))

OUT ?= trained
CLIENT := .cache/client
# It finds ruff, which tidies what it writes, on the path.
generate = PATH="$(CURDIR)/$(BIN):$$PATH" openapi-python-client generate --fail-on-warning \
	--path docs/openapi.json --config deploy/client.yaml --output-path
SECONDS ?= 600
# Two processes of pytest, whatever the machine: each imports torch.
parallel := --numprocesses 2 --dist worksteal
# The folder of an environment's packages: $(call site,folder).
site = $$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
further = $(if $($(1)),--$(2) "$($(1))")
needs_data = @test -n "$(DATA)" || { echo "name the folder of labelled pictures: make $@ DATA=folder"; exit 2; }

.PHONY: help setup run test-fast test check test-browser test-postgres test-label-studio test-formats test-object-store test-schema test-generators test-telemetry test-proxies test-rollouts test-compose fuzz openapi client evaluate train bench bench-quick lock licences clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The set-up of ./segserve; it has no line in the list, as it is not typed.
setup: $(VENV)/run.stamp

run: $(VENV)/run.stamp  ## set up, build the archive, start TorchServe, gateway and page
	@$(BIN)/segserve serve

test-fast: $(VENV)/test.stamp  ## unit and contract tests in under a minute
	@$(BIN)/python -m pytest $(parallel) -m "not slow and not postgres" tests/unit tests/contract

# The second part needs the machine for itself: it measures memory and CPU time.
own_products := tests/faults/test_serve.py tests/faults/test_restarts.py tests/faults/test_later_starts.py
test: $(VENV)/test.stamp  ## set up and run the tests that need only Python
	@$(BIN)/python -m pytest $(parallel) -m "not postgres" --durations=20 tests/unit tests/contract $(own_products); first=$$?; \
		$(BIN)/python -m pytest --durations=20 tests/e2e tests/faults $(own_products:%=--ignore=%) && exit $$first

check: $(VENV)/test.stamp  ## lint, types, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

test-browser: $(VENV)/test.stamp  ## the page in a real browser (needs chromium)
	@$(BIN)/python -m pytest tests/browser

test-postgres: $(VENV)/test.stamp  ## the registry in a real PostgreSQL (needs postgresql)
	@$(BIN)/python -m pytest -m postgres tests/unit/gateway

test-label-studio: $(VENV)/test.stamp .cache/label-studio/environment/installed  ## a real Label Studio, pre-annotated (needs chromium)
	@$(BIN)/python -m pytest tests/label_studio

test-formats: $(VENV)/test.stamp .cache/formats/environment/installed  ## networks of other libraries, read and served like the originals
	@.cache/formats/environment/bin/python -m pytest $(parallel) --durations=10 tests/formats

test-object-store: $(VENV)/test.stamp .cache/object-store/environment/installed  ## archives in a real S3 server, which dies too
	@.cache/object-store/environment/bin/python -m pytest tests/object_store

test-schema: $(VENV)/test.stamp  ## thousands of generated requests, and answers as the OpenAPI document says
	@$(BIN)/python -m pytest tests/schema

test-generators: $(VENV)/test.stamp .cache/generators/installed  ## clients in other languages, generated and compiled (needs npm and a JDK)
	@$(BIN)/python -m pytest tests/generators

test-telemetry: $(VENV)/test.stamp  ## a real Prometheus at a real gateway (needs prometheus)
	@$(BIN)/python -m pytest tests/telemetry

test-proxies: $(VENV)/test.stamp  ## behind a real nginx and Caddy, and attacked (needs nginx, caddy and chromium)
	@$(BIN)/python -m pytest tests/proxies

# The second part measures, so it has the machine for itself.
test-rollouts: $(VENV)/test.stamp  ## kill -9 at every point of a roll-out, with both databases; two nodes under load (needs postgresql)
	@$(BIN)/python -m pytest --durations=10 tests/rollouts; first=$$?; \
		$(BIN)/python -m pytest -rP tests/fleet && exit $$first

test-compose: $(VENV)/test.stamp  ## build, start and use the containers (needs a Docker engine and postgresql)
	@$(BIN)/python -m pytest tests/compose

fuzz: .cache/fuzz/environment/installed  ## fuzz everything that reads untrusted bytes, guided by coverage: [SECONDS=600]
	@.cache/fuzz/environment/bin/python -m tests.fuzz $(SECONDS)

openapi: $(VENV)/packages.stamp  ## write the OpenAPI document to docs/openapi.json
	@$(BIN)/python -m gateway.export_openapi docs/openapi.json

client: OUT := $(CLIENT)
client: $(VENV)/packages.stamp  ## write a typed Python client of the API into .cache/client, or OUT=folder, and its wheel into dist/ there
	@$(generate) "$(OUT)" $(if $(filter $(CLIENT),$(OUT)),--overwrite)
	@rm -rf "$(OUT)/dist"
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--wheel-dir "$(OUT)/dist" "$(OUT)"

evaluate: $(VENV)/train.stamp  ## measure the served model: DATA=folder [NAMES=] [VERSION=] [ARCHIVE=] [WEIGHTS=] [JSON=] [REPORT=]
	$(needs_data)
	@$(BIN)/segserve evaluate --data "$(DATA)" $(call further,VERSION,version) \
		$(call further,GATEWAY,gateway) $(call further,ARCHIVE,archive) $(call further,WEIGHTS,weights) \
		$(call further,MODEL,model) $(call further,LABELS,labels) $(call further,NAMES,names) \
		$(call further,JSON,json) $(call further,REPORT,report)

train: $(VENV)/train.stamp  ## train on DATA=folder into OUT=folder [VAL=] [INIT=] [MODEL=] [LABELS=] [EPOCHS=] [CROP=]
	$(needs_data)
	@$(BIN)/segserve train --data "$(DATA)" --output "$(OUT)" $(call further,VAL,val) \
		$(call further,INIT,init) $(call further,MODEL,model) $(call further,LABELS,labels) \
		$(call further,EPOCHS,epochs) $(call further,CROP,crop)

bench: $(VENV)/bench.stamp  ## measure against other servers, two hours: benchmarks/results/latest.json, .md, .png
	@$(BIN)/segserve bench

bench-quick: $(VENV)/bench.stamp  ## the same with one short round of the bundled model, minutes
	@$(BIN)/segserve bench --quick

lock: .cache/lock/bin/uv  ## after a change of a pin: write constraints.txt and the hashes, [UPGRADE=1] raises the rest too
	@$(REQ)/lock.sh $< $(UPGRADE)

licences: $(VENV)/test.stamp  ## write docs/licences.md, the licences of all packages
	@$(BIN)/python -m deploy.licences docs/licences.md

clean:  ## remove the environment, the archives and what runs left behind
	rm -rf $(VENV) .cache .run model_store/*.mar model_store/*.mar.damaged model_store/*.building

$(VENV)/packages.stamp: $(RUN_PARTS:%=$(REQ)/%.txt) $(REQ)/constraints.txt
	@echo "Installing the packages into $(VENV) (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed: PYTHON=/path/to/python3.11 make ..."; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	@$(call install,$(RUN_PARTS))
	@touch $@

# The page uses the generated client, as other applications do. A package left incomplete by an
# interrupted set-up has no list of files by which pip could remove it.
$(VENV)/run.stamp: $(VENV)/packages.stamp docs/openapi.json deploy/client.yaml pyproject.toml \
		gateway/openapi/version.py
	@$(generate) $(CLIENT) --overwrite >/dev/null
	@rm -rf "$(call site,$(VENV))"/segserve_client*
	@$(PIP) --no-deps --no-build-isolation ./$(CLIENT)
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# Beside its own packages it sees the product's, which come after them.
.cache/fuzz/environment/installed: $(VENV)/run.stamp $(REQ)/fuzz.txt
	@$(BIN)/python -m venv --clear .cache/fuzz/environment
	@.cache/fuzz/environment/bin/python -m pip install --quiet --disable-pip-version-check $(call pins,fuzz)
	@echo "$(call site,$(VENV))" >"$(call site,.cache/fuzz/environment)/product.pth"
	@touch $@

# It sees the product's packages too, after its own: torch is there once. They come without dependencies.
.cache/formats/environment/installed: $(VENV)/run.stamp $(REQ)/formats.txt
	@$(BIN)/python -m venv --clear .cache/formats/environment
	@.cache/formats/environment/bin/python -m pip install --quiet --disable-pip-version-check --no-deps $(call pins,formats)
	@echo "$(call site,$(VENV))" >"$(call site,.cache/formats/environment)/product.pth"
	@touch $@

# Beside its own packages it sees the product's, which come after them.
.cache/object-store/environment/installed: $(VENV)/run.stamp $(REQ)/object-store.txt
	@$(BIN)/python -m venv --clear .cache/object-store/environment
	@.cache/object-store/environment/bin/python -m pip install --quiet --disable-pip-version-check $(call pins,object-store)
	@echo "$(call site,$(VENV))" >"$(call site,.cache/object-store/environment)/product.pth"
	@touch $@

.cache/generators/installed: $(VENV)/packages.stamp $(REQ)/generators.txt tests/generators/package.json tests/generators/package-lock.json
	@$(PIP) --no-deps --upgrade --target .cache/generators/python $(call pins,generators)
	@cp tests/generators/package.json tests/generators/package-lock.json .cache/generators
	@cd .cache/generators && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

# Its packages contradict the product's.
.cache/label-studio/environment/installed: $(REQ)/label-studio.txt | $(VENV)/packages.stamp
	@echo "Installing Label Studio into .cache/label-studio (a few minutes the first time)"
	@$(BIN)/python -m venv --clear .cache/label-studio/environment
	@.cache/label-studio/environment/bin/python -m pip install --quiet --disable-pip-version-check $(call pins,label-studio)
	@touch $@

.cache/lock/bin/uv: $(REQ)/tools.txt
	@$(PYTHON) -m venv --clear .cache/lock
	@.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check $(call pins,tools)
	@touch $@

$(VENV)/train.stamp: $(VENV)/run.stamp $(REQ)/train.txt
	@$(call install,train)
	@touch $@

$(VENV)/bench.stamp: $(VENV)/train.stamp $(REQ)/bench.txt
	@$(call install,bench)
	@touch $@

$(VENV)/test.stamp: $(VENV)/bench.stamp $(REQ)/test.txt
	@$(call install,test)
	@touch $@
