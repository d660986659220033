#!/bin/sh
# Runs the JavaScript examples, shows what comes out, and compares it with expected/.
#
#     examples/demo.sh [OUBLIETTE]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
oubliette=${1:-oubliette}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }

title 'JavaScript: rules over an order, in 1 MiB and a million units of fuel'
echo '$ oubliette run rules.js --input order=order.json -o result.json --memory 1M --fuel 1M'
$oubliette run "$here/rules.js" --input "order=$here/data/order.json" -o "$work/result.json" --memory 1M --fuel 1M >"$work/rules.txt"
cat "$work/rules.txt" "$work/result.json"
echo
for file in rules.txt result.json; do
	if cmp -s "$work/$file" "$here/expected/$file"; then
		echo "  as expected ($file)"
	else
		echo "  differs from expected/$file:"
		diff "$here/expected/$file" "$work/$file" || true
		failed=1
	fi
done

title 'A loop that never ends, stopped'
echo "\$ oubliette eval 'for (;;);' --fuel 1M"
code=0
$oubliette eval 'for (;;);' --fuel 1M || code=$?
[ "$code" = 121 ] || failed=1
exit "$failed"
