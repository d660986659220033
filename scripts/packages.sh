#!/bin/sh
# Programs that use packages from npm, run by node and in a cell: packages.sh FOLDER OUBLIETTE [NAME...]. The folder has a
# package.json, whose packages are installed, and programs `NAME.js`, which are bundled to one script each, with what they import of a folder `shared`. Prints a table;
# fails if a program prints something else in the cell.
set -eu
folder=$(cd "$1" && pwd)
oubliette=$2
shift 2
work=${CARGO_TARGET_DIR:-target}/packages
mkdir -p "$work/out"
work=$(cd "$work" && pwd)
cp "$folder"/package.json "$folder"/*.js "$work/"
[ ! -d "$folder/shared" ] || cp -R "$folder/shared" "$work/"
for tool in node npm; do
	command -v $tool >/dev/null || { echo "this suite needs $tool" >&2; exit 2; }
done
(cd "$work" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
[ $# -gt 0 ] || set -- $(cd "$folder" && ls *.js | sed 's/\.js$//')
same=0
all=0
printf '%-28s %-10s %10s %12s %10s\n' program result bundle fuel memory
for name; do
	script=$work/out/$name.js
	all=$((all + 1))
	# Packages see neither node nor a browser: no process of theirs, no modules of node's. Aliases are found from where this runs.
	(cd "$work" && node_modules/.bin/esbuild "$name.js" --bundle --format=iife --platform=browser --log-level=error \
		--define:global=globalThis --define:process.env.NODE_ENV='"production"' \
		--define:process='{"env":{"NODE_ENV":"production"},"browser":true}' \
		--alias:os=os-browserify --alias:path=path-browserify --outfile="$script") ||
		{ printf '%-28s %s\n' "$name" "not bundled"; continue; }
	TZ=UTC node "$script" >"$work/out/$name.node" 2>"$work/out/$name.node.err" ||
		{ printf '%-28s %s\n' "$name" "node fails"; continue; }
	"$oubliette" run "$script" --memory 512M --fuel 1000G --timeout 600s --output-limit 64M --json >"$work/out/$name.json" 2>"$work/out/$name.err" || :
	row=$(node -e '
		const fs = require("fs"), [name, base] = process.argv.slice(1);
		const outcome = JSON.parse(fs.readFileSync(base + ".json", "utf8"));
		fs.writeFileSync(base + ".cell", outcome.stdout + (outcome.stop === "finished" ? "" : `${outcome.stop}: ${outcome.error?.message ?? ""}\n`));
		const same = fs.readFileSync(base + ".node", "utf8") === outcome.stdout && outcome.stop === "finished";
		const size = (n) => `${(n / 1024).toFixed(0)} KiB`;
		console.log(name.padEnd(28), (same ? "same" : "DIFFERS").padEnd(10), size(fs.statSync(base + ".js").size).padStart(10), String(outcome.fuel_used).padStart(12), size(outcome.memory_peak).padStart(10));
	' "$name" "$work/out/$name")
	echo "$row"
	case $row in *DIFFERS*) diff "$work/out/$name.node" "$work/out/$name.cell" | head -6 | cut -c 1-160 | sed 's/^/    /' ;; *) same=$((same + 1)) ;; esac
done
echo "$same of $all print what node prints"
[ "$same" -eq "$all" ]
