# `make help` lists the targets.

# Each function has one zip in dist/ with its name, because serverless names the upload after the file name alone.
FUNCTIONS := parrot run-from-queue deploy-hook

# The architecture comes from serverless.env.yml. serverless.yml reads it from there too.
CONFIGURED := $(shell sed -n 's/^[[:space:]]*architecture:[[:space:]]*\([^[:space:]#]*\).*/\1/p' serverless.env.yml 2>/dev/null | tr -d "\"'")
ARCH ?= $(or $(CONFIGURED),x86_64)
FLAG_x86_64 := --x86-64
FLAG_arm64 := --arm64
FLAG := $(FLAG_$(ARCH))

# If `cargo lambda` is on the PATH, it is used. Otherwise the release that deploy/requirements.txt pins is installed,
# together with the linker that it needs.
CARGO_LAMBDA := $(shell command -v cargo-lambda 2>/dev/null)
VENV := $(CURDIR)/target/cargo-lambda
export PATH := $(if $(CARGO_LAMBDA),,$(VENV)/bin:)$(PATH)

SERVERLESS := node_modules/.bin/serverless

# These tests package stacks, which takes one core each. The others measure, or put a function under load.
STACKS := acceptance::comparison:: acceptance::members:: acceptance::permissions:: acceptance::rules:: acceptance::sam:: acceptance::stack::

.DEFAULT_GOAL := help
.PHONY: help lint test acceptance config architecture package deploy

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

lint: ## check the formatting, and clippy without a warning
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

test: ## run the tests for every change; the tools that they need are installed under target/
	cargo test

acceptance: ## run the slow tests: releases, stacks, upgrades, load with failures, checks with all samples
	RUST_TEST_THREADS=2 cargo test --locked --no-fail-fast --test suite -- --ignored $(STACKS)
	RUST_TEST_THREADS=1 cargo test --locked --no-fail-fast --test suite -- --ignored --skip all_samples:: $(STACKS:%=--skip %)
	PROPTEST_CASES=4096 cargo test --locked --no-fail-fast --test suite -- --include-ignored all_samples:: properties::

# With a misspelt key the deployed function would post nothing. Every key is optional, and so is the file.
config: ## check the keys and values of serverless.env.yml
	@if [ -e serverless.env.yml ]; then echo 'building ecs-parrot, which checks serverless.env.yml' >&2; cargo run --locked -- config serverless.env.yml; fi

architecture:
	@test -n '$(FLAG)' || { echo 'architecture `$(ARCH)` is unknown; use x86_64 or arm64' >&2; exit 1; }

package: architecture config $(if $(CARGO_LAMBDA),,$(VENV)/installed) ## build dist/NAME.zip, for serverless.env.yml's architecture or ARCH=arm64
	cargo lambda build --release --locked $(FLAG) --output-format zip $(FUNCTIONS:%=--bin %) --lambda-dir target/lambda/$(ARCH)
	mkdir -p dist
	set -e; for name in $(FUNCTIONS); do cp target/lambda/$(ARCH)/$$name/bootstrap.zip dist/$$name.zip; done

# The architecture is passed on, so that the function has the one for which its zip was built.
deploy: package $(SERVERLESS) ## package, and deploy what serverless.env.yml describes
	$(SERVERLESS) deploy --param=architecture=$(ARCH)

$(VENV)/installed: deploy/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement deploy/requirements.txt
	touch $@

$(SERVERLESS): package-lock.json
	npm ci --ignore-scripts
	touch $@
