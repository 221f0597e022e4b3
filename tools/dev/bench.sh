#!/usr/bin/env bash
# ./dev bench
set -euo pipefail
source tools/dev/common.sh
source tools/dev/packages.sh

usage='usage: ./dev bench [GOOGLE BENCHMARK OPTION...]

Builds and runs the benchmarks, for example ./dev bench --benchmark_filter=fold'

case ${1:-} in -h | --help) say "$usage"; exit 0 ;; esac

install_packages "${build_packages[@]}" "${bench_packages[@]}"
# Not there before libbenchmark was.
run_logged "Configuring build" build/configure.log cmake --preset release
build_preset release fl_bench
build/bin/tests/fl_bench "$@"
say "Next: put the figures beside those of docs/architecture.md."
