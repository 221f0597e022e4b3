#!/usr/bin/env bash
# ./dev build
set -euo pipefail
source tools/dev/common.sh
source tools/dev/packages.sh

usage='usage: ./dev build

Builds the programs (build/bin/fl-server, build/bin/fl-client) and the tests, Release, into build/.'

for option in "$@"; do usage_or_fail "$usage" "$option"; done

install_packages "${build_packages[@]}"
build_preset release all
say "Built. Next: ./dev demo, or build/bin/fl-server --help; the tests alone: ctest --test-dir build"
