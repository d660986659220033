#!/bin/sh
# Compiles the runtime's test and the fixtures that finish with code 0 at every level of optimisation, and runs them.
# Called by `make check`, which sets COMPILE (the compiler with our flags), OUBLIETTE and BUILD.
set -u
failed=0
things=examples/data/things.txt
for level in -O0 -O1 -O2 -O3 -Os; do
	for source in tests/runtime.c $(awk -F'\t' '$3 == "finished" && $4 == 0 && $2 == "" { print "fixtures/" $1 ".c" }' fixtures/expected.tsv); do
		[ -f "$source" ] || continue
		program=$BUILD/tests/$(basename "$source" .c)$level.elf
		if ! $COMPILE $level -w -o "$program" "$source" -lm; then
			failed=$((failed + 1))
		elif ! output=$($OUBLIETTE run "$program" -d input=$things 2>&1); then
			echo "$source at $level: $output"
			failed=$((failed + 1))
		fi
	done
	# gcc answers with a path when it has a C++ compiler, with the bare name when not.
	case $($COMPILE -print-prog-name=cc1plus) in
	*/*)
		program=$BUILD/tests/cxx$level.elf
		if ! $COMPILE $level -fno-exceptions -fno-rtti -fno-threadsafe-statics -o "$program" tests/cxx.cpp ||
			! output=$($OUBLIETTE run "$program" 2>&1); then
			echo "tests/cxx.cpp at $level: $output"
			failed=$((failed + 1))
		fi ;;
	esac
	echo "$level done"
done
[ $failed = 0 ] || { echo "$failed failed"; exit 1; }
