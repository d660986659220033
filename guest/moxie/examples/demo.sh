#!/bin/sh
# Runs every example on its sample data, shows what comes out, and compares it with expected/.
#
#     examples/demo.sh [OUBLIETTE [FOLDER]]
#
# OUBLIETTE is the command (default: `oubliette`), FOLDER holds the contracts' ELF files (default: the committed ones).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
oubliette=${1:-oubliette}
elf=${2:-$here/../fixtures}
data=$here/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# shown COMMAND...: as the user would type it, then run, with the guest's exit code.
shown() {
	echo "\$ oubliette $*" | sed "s|$data/||g; s|$elf/||g; s|$work/||g"
	code=0
	$oubliette "$@" || code=$?
}

same() {
	if cmp -s "$1" "$here/expected/$2"; then
		echo "  output as expected ($2)"
	else
		echo "  output differs from expected/$2:"
		diff "$here/expected/$2" "$1" || true
		failed=1
	fi
}

ended() { [ "$code" = "$1" ] || { echo "  ended with $code instead of $1"; failed=1; }; }

title "Hello from a contract"
shown run "$elf/hello.elf"
ended 0

title "SHA-256 of an input: the digest is the output"
shown run "$elf/sha256.elf" -d "$data/letter.txt" -o "$work/digest.bin"
ended 0
od -An -tx1 "$work/digest.bin" | tr -d ' \n' > "$work/digest.hex"
sha256sum < "$data/letter.txt" | cut -d' ' -f1 | tr -d '\n' | cmp -s - "$work/digest.hex" \
	&& echo "  as sha256sum says" || { echo "  not what sha256sum says"; failed=1; }

title "Counting words of one input, leaving out those of another"
shown run "$elf/wordcount.elf" -d "text=$data/letter.txt" -d "stop=$data/stop.txt" -o "$work/words.txt"
ended 0
same "$work/words.txt" wordcount.txt

title "A ledger that carries its state from run to run"
shown run "$elf/ledger.elf" -d "$data/orders-1.txt" --state "$work/ledger.bin" -o "$work/receipts-1.txt"
ended 0
same "$work/receipts-1.txt" receipts-1.txt
shown run "$elf/ledger.elf" -d "$data/orders-2.txt" --state "$work/ledger.bin" -o "$work/receipts-2.txt"
ended 0
same "$work/receipts-2.txt" receipts-2.txt

title "A contract in Lua, with its script as an input"
shown run "$elf/lua.elf" -d "script=$data/auction.lua" -d "bids=$data/bids.txt" --state "$work/auction.state" -o "$work/auction.txt"
ended 0
same "$work/auction.txt" auction.txt

title "A call to the host (which offers nothing here)"
shown run "$elf/hatch.elf" -d "$data/things.txt" -o "$work/total.txt"
ended 0
same "$work/total.txt" total.txt

title "A mistake, found by its lines"
shown run "$elf/trap_O2.elf"
ended 120

title "An endless loop meets its budget"
shown run "$elf/loop.elf" --fuel 10M
ended 121

echo
if [ $failed = 0 ]; then
	echo "Every example did what it should."
else
	echo "Some examples did not do what they should."
	exit 1
fi
