# Two commands do everything on a fresh Debian machine with Rust: `make demo` and `make test`.

CARGO ?= cargo
ROUNDS ?= 5
OUBLIETTE := $(or $(CARGO_TARGET_DIR),target)/release/oubliette
# The oracle of the JavaScript cell is left out: its peers take longer to build than all of ours.
LINTED := $(addprefix -p oubliette-,cell memory moxie javascript wasm ruby machine agent wire cli bench) -p oubliette
# A checkout of the C compiler's execution tests, of test262, and so on, for `make conformance`.
SUITE ?=

.PHONY: all demo test test-all check fuzz bench conformance portable setup clean help

help:
	@echo 'make demo         one program in each kind of cell'
	@echo 'make test         the tests'
	@echo 'make test-all     and the differential tests against other parsers and pattern engines'
	@echo 'make check        formatting, lints and documentation'
	@echo 'make bench        us and our peers, side by side (about 10 minutes)'
	@echo 'make fuzz         the fuzzers, a minute each (FUZZ_SECONDS=60); docs/fuzzing.md'
	@echo 'make conformance  long suites: SUITE=name FOLDER=path; docs/conformance.md'
	@echo 'make portable     the JavaScript cell as WebAssembly, under node'
	@echo 'make setup        says which system packages are missing, installs them when it may'

all: demo test

setup:
	@scripts/setup.sh

$(OUBLIETTE): FORCE
	$(CARGO) build --release -p oubliette-cli
FORCE:

demo: setup $(OUBLIETTE)
	@scripts/demo.sh $(OUBLIETTE)

test: setup
	scripts/test.sh

test-all: setup
	scripts/test.sh all

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(LINTED) --all-targets --features oubliette-cell/contract -- -D warnings
	$(CARGO) clippy -p oubliette-memory --all-targets --features portable -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LINTED) --no-deps

bench: setup $(OUBLIETTE)
	$(MAKE) -C guest/moxie native
	$(CARGO) run --release -p oubliette-bench -- --rounds $(ROUNDS) --oubliette $(OUBLIETTE)

fuzz: setup
	scripts/fuzz.sh

conformance: setup
	scripts/conformance.sh $(SUITE) $(FOLDER)

# Needs the target: rustup target add wasm32-unknown-unknown.
portable:
	$(CARGO) build --release --target wasm32-unknown-unknown -p oubliette-javascript --example portable
	node scripts/portable.mjs $(or $(CARGO_TARGET_DIR),target)/wasm32-unknown-unknown/release/examples/portable.wasm crates/javascript/tests/cases

clean:
	$(CARGO) clean
	$(MAKE) -C guest/moxie clean
