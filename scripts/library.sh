#!/bin/sh
# Random calls of JavaScript's built-in library, by node and in a cell: library.sh FOLDER OUBLIETTE [SEEDS [FIRST]]. Each program of the
# folder, behind what lies in its folder `shared`, runs once for each seed; both must print the same, to the byte.
set -eu
folder=$(cd "$1" && pwd)
oubliette=$2
seeds=${3:-20}
first=${4:-1}
command -v node >/dev/null || { echo "this suite needs node" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
same=0
all=0
for program in "$folder"/*.js; do
	for seed in $(seq "$first" $((first + seeds - 1))); do
		cat "$folder"/shared/*.js "$program" | sed "s/\bSEED\b/$seed/; s/\bCOUNT\b/2000/" >"$work/program.js"
		TZ=UTC node "$work/program.js" >"$work/node" 2>&1 || :
		"$oubliette" run "$work/program.js" --memory 256M --fuel 10G --timeout 60s --output-limit 64M >"$work/cell" 2>&1 || :
		all=$((all + 1))
		if cmp -s "$work/node" "$work/cell"; then
			same=$((same + 1))
		else
			echo "$(basename "$program") with seed $seed:"
			diff -a "$work/node" "$work/cell" | head -6 | cut -c 1-160 | sed 's/^/    /'
		fi
	done
done
echo "$same of $all print what node prints"
[ "$same" -eq "$all" ]
