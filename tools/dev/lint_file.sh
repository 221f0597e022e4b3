#!/usr/bin/env bash
# lint_file.sh FILE: runs clang-tidy on one file for lint.sh. Says "ok FILE SECONDS" or "bad FILE SECONDS"; what was
# found is then in build/lint/output/FILE.
set -euo pipefail
file=$1
output=build/lint/output/$file
clean=build/lint/clean/$file
mkdir -p "$(dirname "$output")" "$(dirname "$clean")"
rm -f "$clean"

arguments=()
case $file in
  common/engine/torch/*)
    # clang cannot parse libtorch's headers together with libstdc++ 12 as C++20.
    arguments+=(--extra-arg=-std=c++17 --extra-arg=-Wno-c++20-extensions
      --extra-arg=-include --extra-arg="$PWD/tools/dev/cxx17_span.h")
    ;;
esac

start=$SECONDS
verdict=ok
clang-tidy-19 -p build/lint --quiet --extra-arg=-Wno-unknown-warning-option "${arguments[@]}" "$file" >"$output" 2>&1 || verdict=bad
sed -i '/^[0-9]* warnings.* generated\.$/d' "$output"
[ "$verdict" = bad ] || cp "build/lint/keys/$file" "$clean"
printf '%s %s %d\n' "$verdict" "$file" $((SECONDS - start))
