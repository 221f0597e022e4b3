#!/usr/bin/env bash
# ./dev test
set -euo pipefail
source tools/dev/common.sh
source tools/dev/packages.sh

usage='usage: ./dev test [--quick]

Builds everything and runs every test: all of them as built for release, the unit tests under AddressSanitizer
with UndefinedBehaviorSanitizer, networked ones under ThreadSanitizer, and each fuzz target for a few seconds
(./dev fuzz runs them longer). Ends with the summary of ctest, and where tests failed with an error that counts them.

  --quick   only the release build and its tests'

presets=(release asan tsan fuzz)
for option in "$@"; do
  case $option in
    --quick) presets=(release) ;;
    *) usage_or_fail "$usage" "$option" ;;
  esac
done

# One folder from which ctest sees the tests of several build folders, so that one summary counts them all.
make_test_folder() {
  local folder=build/all-tests preset
  mkdir -p "$folder"
  for preset in "$@"; do
    printf 'subdirs("%s/%s")\n' "$PWD" "$(preset_folder "$preset")"
  done >"$folder/CTestTestfile.cmake"
  printf '%s' "$folder"
}

# What is wrong, of what ctest has written down.
failed_tests() {
  local list=$1/Testing/Temporary/LastTestsFailed.log
  if [ -s "$list" ]; then
    printf 'tests failed: %d; again, with all they say: ctest --test-dir %s --rerun-failed --output-on-failure' \
      "$(wc -l <"$list")" "$1"
  else
    printf 'ctest could not run the tests in %s; what it says above tells why' "$1"
  fi
}

packages=("${build_packages[@]}" "${test_packages[@]}")
((${#presets[@]} == 1)) || packages+=("${fuzz_packages[@]}")
install_packages "${packages[@]}"
for preset in "${presets[@]}"; do
  case $preset in
    release) build_preset release all ;;
    fuzz) build_preset fuzz fl_fuzz_targets ;;
    *) build_preset "$preset" fl_sanitized_tests ;;
  esac
done

folder=$(make_test_folder "${presets[@]}")
say "Testing. One test again, with all it says: ctest --test-dir $folder -R NAME --output-on-failure"
status=0
arguments=(--test-dir "$folder" -j "$jobs" --output-on-failure --no-label-summary)
if on_terminal; then
  ctest "${arguments[@]}" --progress || status=$?
else
  ctest "${arguments[@]}" | thin_progress '^( *Start +[0-9]+:| *[0-9]+/[0-9]+ Test .* Passed )' || status=$?
fi
((status == 0)) || fail "$(failed_tests "$folder")"
