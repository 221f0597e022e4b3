#!/usr/bin/env bash
# ./dev bench
set -euo pipefail
source tools/dev/common.sh
source tools/dev/packages.sh

usage='usage: ./dev bench [GOOGLE BENCHMARK OPTION...]

Builds and runs the benchmarks, for example ./dev bench --benchmark_filter=fold. Each is run five times; shown is the
median of what our code does in a second, beside what the limit it stands next to allows: memory for the fold, OpenSSL
alone for a connection, PyTorch in Python for training, each measured in the same run. Every run is written
to build/bench/DATE.json.'

case ${1:-} in -h | --help) say "$usage"; exit 0 ;; esac

install_packages "${build_packages[@]}" "${bench_packages[@]}" "${test_packages[@]}"
# Not there before libbenchmark was.
run_logged "Configuring build" build/configure.log cmake --preset release
build_preset release fl_bench
mkdir -p build/bench
report=build/bench/$(date -u +%Y-%m-%dT%H-%M-%SZ).json
build/bin/tests/fl_bench --benchmark_repetitions=5 --benchmark_out="$report" --benchmark_out_format=json "$@"
say "Every run: $report"
