#!/bin/sh
# Every fuzzer for a while: FUZZ_SECONDS each (60 unless said). Results are recorded in docs/fuzzing.md.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
seconds=${FUZZ_SECONDS:-60}
seed=${FUZZ_SEED:-$(date +%s)}
echo "moxie: interpreter and compiled code in lock-step, $seconds s from seed $seed"
$cargo run --release -p oubliette-moxie --example lockstep -- "$seconds" "$seed"
echo "javascript: hostile programs and damaged snapshots, $seconds s from seed $seed"
$cargo run --release -p oubliette-javascript --example hostile -- "$seconds" "$seed"
echo "wasm: guests that call their imports with anything, $seconds s from seed $seed"
$cargo run --release -p oubliette-wasm --example imports -- "$seconds" "$seed"
if command -v npm >/dev/null; then
	echo "ruby: boxes that send the host anything, $seconds s from seed $seed"
	$cargo run --release -p oubliette-ruby --example boundary -- "$seconds" "$seed"
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
	echo "the coverage-guided targets need cargo-fuzz and a nightly Rust: cargo install cargo-fuzz" >&2
	exit 0
fi
for target in $(cd fuzz && cargo +nightly fuzz list); do
	echo "fuzz target $target, $seconds s"
	cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=4096
done
