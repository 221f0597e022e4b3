#!/usr/bin/env bash
# ./dev fuzz
set -euo pipefail
source tools/dev/common.sh
source tools/dev/packages.sh

usage='usage: ./dev fuzz [SECONDS [TARGET]]

Feeds each reader of untrusted bytes what libFuzzer makes of its seeds, SECONDS (60) each, under AddressSanitizer and
UndefinedBehaviorSanitizer; or the one TARGET alone. Which there are: tests/fuzz/TARGET_fuzz.cc says what holds of it,
tests/fuzz/seeds/TARGET is what it begins with. What one run finds worth keeping is in build-fuzz/corpus/TARGET,
and the next run begins with it too. Ends with how many inputs were tried; where one breaks a target, with an error
that names the input.'

seconds=${1:-60}
only=${2:-}
(($# <= 2)) || fail "at most two arguments; ./dev fuzz --help" 2
[[ $seconds =~ ^[1-9][0-9]*$ ]] || usage_or_fail "$usage" "$seconds"

targets=()
for source in tests/fuzz/*_fuzz.cc; do
  target=$(basename "$source" _fuzz.cc)
  [ -n "$only" ] && [ "$only" != "$target" ] || targets+=("$target")
done
((${#targets[@]})) || fail "there is no fuzz target '$only'; tests/fuzz/TARGET_fuzz.cc are the ones there are" 2

install_packages "${build_packages[@]}" "${fuzz_packages[@]}"
build_preset fuzz fl_fuzz_targets
summary=()
for target in "${targets[@]}"; do
  found=build-fuzz/corpus/$target
  log=build-fuzz/corpus/$target.log
  mkdir -p "$found"
  run_logged "Fuzzing $target, $seconds s" "$log" "build-fuzz/bin/tests/${target}_fuzz" "-max_total_time=$seconds" \
    -print_final_stats=1 "-artifact_prefix=$found-" "$found" "tests/fuzz/seeds/$target"
  summary+=("$(printf '%-14s %10s inputs' "$target" "$(awk '/number_of_executed_units/ { print $2 }' "$log")")")
done
printf '%s\n' "${summary[@]}" "Nothing was found."
