# `make` or `make help` lists the targets. Variables of the job go through: make train SEED=7

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

include versions.env
# What the environment, the command line of make, or nobody has set.
export SEED DETERMINISM JUPYTER_PORT
export REGISTRY DATE SBOM COSIGN_KEY COSIGN_PUBLIC_KEY COSIGN_OPTIONS CERTIFICATE_IDENTITY CERTIFICATE_ISSUER

PYTHON_FILES := conftest.py seed_init deploy image harness tests benchmarks examples entrypoint/seed-init-healthcheck \
	entrypoint/ssh_keys.py tools/*.py
SHELL_FILES := tools/*.sh tests/standin/*.sh entrypoint/seed-init-entrypoint \
	entrypoint/seed-init-notebook entrypoint/seed-init-ssh image/seed-init image/clean.sh image/login.sh image/root.sh \
	examples/team/*.sh deploy/slurm/*.sbatch .ci/run

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: notebook
notebook: ## start JupyterLab, in a container where possible
	@tools/run.sh notebook

.PHONY: train
train: ## run the example training job, in a container where possible
	@tools/run.sh train

.PHONY: image
image: ## build the images: runtime, notebook and ssh
	docker build --target runtime --tag $(IMAGE_TAG) $(BUILD_ARGS) $(IMAGE_ARGS) .
	docker build --target notebook --tag $(IMAGE_TAG)-notebook $(BUILD_ARGS) $(IMAGE_ARGS) .
	docker build --target ssh --tag $(IMAGE_TAG)-ssh $(BUILD_ARGS) $(IMAGE_ARGS) .
	@docker image ls --filter 'reference=$(IMAGE_TAG)*' --format '{{.Repository}}:{{.Tag}}: {{.Size}}'

# Build arguments from the environment, as docker-compose.yml takes them, the revision, and the time
# of the last commit that changed the image. Asked for only where an image is built.
BUILD_ARGS = $(foreach name,BASE_IMAGE BASE_DIGEST EXPECT_TORCH EXPECT_CUDA EXPECT_CUDNN \
	APT_LOCK,\
	$(if $(filter undefined,$(origin $(name))),,--build-arg $(name)=$($(name)))) \
	--build-arg REVISION=$(shell git rev-parse HEAD 2>/dev/null || echo unknown) \
	$(addprefix --build-arg SOURCE_DATE_EPOCH=,$(shell tools/image_twice.py --epoch 2>/dev/null))

.PHONY: image-twice
image-twice: ## build each image twice without a cache and name every file that differs (TARGETS=…)
	@tools/image_twice.py $(or $(TARGETS),runtime notebook ssh) -- $(BUILD_ARGS)

.PHONY: sbom
sbom: ## write what is in each image to dist/: packages with licences (CycloneDX), sizes of layers
	@tools/image_contents.py dist $(IMAGE_TAG) $(IMAGE_TAG)-notebook $(IMAGE_TAG)-ssh

# Status 3: unproven, because the stored list is missing, old, or was not asked for a package.
.PHONY: audit
audit: ## say which known vulnerabilities the packages in dist/ have (RENEW=1 fetches the list anew)
	@tools/audit.py $(if $(RENEW),--renew) dist/*.cdx.json

.PHONY: lock-apt
lock-apt: ## renew image/apt/apt.lock: the newest apt packages, with versions and hashes
	@tools/apt_lock.py

# Needs REGISTRY, such as ghcr.io/OWNER, and a docker login there; docs/reference/releases.md has the tags.
.PHONY: push
push: ## push the images under their tag and under a dated one: REGISTRY=ghcr.io/OWNER (DATE=…)
	@tools/release.sh push

.PHONY: sign
sign: ## sign what was pushed, by digest: COSIGN_KEY=…, or without a key in a workflow
	@tools/release.sh sign

.PHONY: attest
attest: ## attach the list of packages to what was pushed: SBOM=…
	@tools/release.sh attest

.PHONY: verify-release
verify-release: ## check the signatures of what was pushed: COSIGN_PUBLIC_KEY=… or CERTIFICATE_IDENTITY=…
	@tools/release.sh verify

# Three lanes: harness/lanes.py says what is in each, and what PYTEST_ARGS=--rotation=N is.
.PHONY: test
test: lint ## run the tests, of each catalogue of cases a share, in 15 minutes (installs into .venv)
	@SEED_INIT=0 .venv/bin/python -m pytest --lane=test $(PYTEST_ARGS)

.PHONY: test-all
test-all: lint ## run every test that this machine can run, and hold each folder to its budget
	@SEED_INIT=0 .venv/bin/python -m pytest --lane=all $(PYTEST_ARGS)

.PHONY: test-image
test-image: venv ## run the tests of the images
	@SEED_INIT=0 SEED_INIT_REQUIRE_ENGINE=1 .venv/bin/python -m pytest --lane=all tests/image $(PYTEST_ARGS)

.PHONY: test-fast
test-fast: venv ## run what starts neither torch nor a container, in 90 seconds
	@SEED_INIT=0 .venv/bin/python -m pytest --lane=fast $(PYTEST_ARGS)

# Where the torch is not that of .venv: make test-gpu PYTHON=/opt/conda/bin/python3
.PHONY: test-gpu
test-gpu: $(if $(PYTHON),,venv) ## run the tests that need a GPU; skipped, with the reason, where there is none
	@SEED_INIT=0 $(or $(PYTHON),.venv/bin/python) -m pytest -n 0 tests/gpu $(PYTEST_ARGS)

# The lane's venv is its own: torch without NVIDIA's libraries, on tests/nullcuda's runtime.
.PHONY: test-torch
test-torch: ## run the hook's tests, and CUDA's host side, with another torch: VERSION=2.9.1 or newest
	@tools/test-torch.sh "$(VERSION)" $(PYTEST_ARGS)

# The lane's venv has the engines; torch is that of .venv.
.PHONY: test-engines
test-engines: venv ## run the tests that start real engines: Dask, Ray, Spark, … (installs into .venv-engines)
	@tools/test-engines.sh $(PYTEST_ARGS)

# Evidence goes into docs/, or into the folder GPU_OUT. Other arguments: GPU_ARGS=--rehearse
.PHONY: gpu
gpu: $(if $(PYTHON),,venv) ## ask a GPU what only a GPU can tell, in 8 minutes; writes docs/gpu.md (PYTHON=… GPU_OUT=… GPU_ARGS=…)
	@SEED_INIT=0 $(or $(PYTHON),.venv/bin/python) -m benchmarks.gpu $(if $(GPU_OUT),--out '$(GPU_OUT)') $(GPU_ARGS)

.PHONY: test-peers
test-peers: venv ## run CPython's, NumPy's and others' own tests with and without the hook (PEERS=…)
	@tools/peer-suites.sh PYTORCH
	@SEED_INIT=0 .venv/bin/python -m tests.peers $(PEERS)

.PHONY: lint
lint: venv ## ruff, mypy, shellcheck, hadolint, actionlint
	@.venv/bin/ruff check $(PYTHON_FILES)
	@.venv/bin/ruff format --check --quiet $(PYTHON_FILES) || (echo "run: .venv/bin/ruff format"; false)
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/shellcheck --external-sources $(SHELL_FILES)
	@.venv/bin/hadolint Dockerfile examples/team/Dockerfile
	@tools/actionlint.sh

.PHONY: venv
venv:
	@tools/venv.sh test

.PHONY: bench
bench: venv ## print what the hook costs, with the machine it ran on
	@SEED_INIT=0 .venv/bin/python -m benchmarks

.PHONY: bench-cost
bench-cost: venv ## measure what determinism costs, beside its peers; writes docs/cost (COST_ARGS=…)
	@tools/peers.sh
	@SEED_INIT=0 .venv/bin/python -m benchmarks.cost $(COST_ARGS)

# The wheel is built from the sdist, with the setuptools of .venv.
.PHONY: dist
dist: venv ## build the wheel and the sdist into dist/, and try the wheel with every Python at hand
	@rm -rf dist build seed_init.egg-info
	@.venv/bin/uv build --quiet --offline --no-build-isolation --python .venv/bin/python --out-dir dist
	@SEED_INIT=0 SEED_INIT_DIST=dist .venv/bin/python -m pytest -n 0 tests/packaging/test_distributions.py
	@ls -l dist

.PHONY: clean
clean: ## remove .venv and caches; images stay
	rm -rf .venv .venv-engines .venv-peers .venv-torch-* .cache .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
