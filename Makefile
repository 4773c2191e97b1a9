# What people type. Every target does its own set-up and may be run any number of times.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

NEED := deploy/local/need.sh
WEB_SOURCES := $(shell find web/src web/public web/index.html web/vite.config.ts web/scripts/budget.mjs -type f \
	-not -path web/src/api/schema.ts)
# The crash tests need the fail points compiled in; one build serves all tests.
TEST_FEATURES := --features mitalk/failpoints
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help run test test-all test-stores test-tls lint fmt bench web types clean checks browser deny stores-up stores-down

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: web ## Mi Talk on this machine: one process, embedded stores, web app, real audio
	@$(NEED) rust
	cargo run --release --bin mitalk -- serve $(ARGS)

web: web/dist/index.html ## build the web app (embedded into the binary)

web/node_modules/.installed: web/package-lock.json
	@$(NEED) node
	@echo "installing: packages of the web app (npm ci)"
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.installed $(WEB_SOURCES)
	cd web && npm run --silent build

# The bundler drops types, so neither `make web` nor `make run` needs these; editors and the web app's checks do.
types: web/node_modules/.installed ## the web app's types, from the API's OpenAPI document
	@$(NEED) rust
	cargo build --workspace --bins $(TEST_FEATURES)
	$(TARGET)/debug/mitalk openapi | (cd web && npm run --silent types)

tests/browser/node_modules/.installed: tests/browser/package-lock.json
	@$(NEED) node browser
	@echo "installing: packages of the browser tests (npm ci)"
	cd tests/browser && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

test: lint checks browser ## everything that CI runs

lint: deny types web/dist/index.html ## formatting, clippy, rustdoc, licences, web checks: warnings are errors
	@$(NEED) rust
	cargo fmt --all --check
	cargo clippy --workspace --all-targets $(TEST_FEATURES) -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet
	cd web && npm run --silent check

deny: ## licences, sources and who may depend on what
	@$(NEED) rust deny
	cargo deny --log-level error check bans licenses sources

# One selection of packages for all of it: another one would unify features differently and build everything again.
checks: web/dist/index.html ## unit and property tests, the simulation; contract, crash and API tests on the real binary and real stores
	@$(NEED) rust java
	cargo build --workspace --bins $(TEST_FEATURES)
	deploy/local/with-stores.sh cargo test --workspace $(TEST_FEATURES)
	cd web && npm run --silent test

browser: web/dist/index.html tests/browser/node_modules/.installed ## real Chromium, real audio
	@$(NEED) rust browser
	cargo build --workspace --bins $(TEST_FEATURES)
	cd tests/browser && MITALK_BIN=$(abspath $(TARGET))/debug/mitalk npm run --silent test
	cd web && npm run --silent test:behaviour
	cd web && LOOK=phone-light,phone-dark,desk,zoom,narrow npm run --silent test:screens

test-stores: web/dist/index.html ## faults under load on real stores, one node and three; the contract suites on three
	@$(NEED) rust java
	cargo build --workspace --bins $(TEST_FEATURES)
	MITALK_TEST_FAULTS=1 MITALK_TEST_AWAY_S=300 deploy/local/with-stores.sh \
		cargo test --workspace $(TEST_FEATURES) --test faults --test crash -- --nocapture that_is one_of_a_thousand on_real_parts
	MITALK_TEST_FAULTS=1 CASSANDRA_NODES=3 CASSANDRA_HEAP=400m KAFKA_NODES=3 KAFKA_HEAP=160m deploy/local/with-stores.sh \
		cargo test --workspace $(TEST_FEATURES) --test contract --test faults -- --nocapture cql kafka::events kafka::sharing one_

# The feature is for images: everything else is built and tested without it.
test-tls: web/dist/index.html ## the contract suites over TLS and with passwords, on real parts
	@$(NEED) rust java tls
	KAFKA_TLS=1 CASSANDRA_TLS=1 deploy/local/with-stores.sh \
		cargo test --workspace $(TEST_FEATURES),mitalk/kafka-tls --test contract -- --nocapture over_tls

test-all: test test-stores test-tls ## the heavy checks as well: run by hand before a release
	MITALK_SIM_SEEDS=20000 cargo test --package mitalk-cluster --release -- simulation
	cargo build --release --bins --workspace
	loadtest/prove.sh

bench: web/dist/index.html ## benchmarks: ratios against a baseline of the same run
	@$(NEED) rust java
	cargo build --release --workspace --bins
	cargo bench --workspace --exclude mitalk-tests
	CASSANDRA_SIZE=large deploy/local/with-stores.sh cargo bench --package mitalk-tests --bench commands
	@# Nothing kills this store, and hundreds of thousands of sign-ups would take hours if each waited for the disk.
	CASSANDRA_SIZE=large CASSANDRA_SYNC=periodic deploy/local/with-stores.sh cargo bench --package mitalk-tests --bench waitlist

stores-up: ## start a real Kafka and a real Cassandra on loopback, for work on their adapters
	@$(NEED) java
	deploy/local/kafka.sh start
	deploy/local/cassandra.sh start
	@deploy/local/kafka.sh status && deploy/local/cassandra.sh status

stores-down: ## stop them; their data stays
	deploy/local/kafka.sh stop
	deploy/local/cassandra.sh stop

fmt: web/node_modules/.installed ## format everything
	@$(NEED) rust
	cargo fmt --all
	cd web && npm run --silent fmt

clean: ## remove everything that was built
	cargo clean
	rm -rf web/dist web/src/api/schema.ts web/node_modules tests/browser/node_modules tests/screenshots
