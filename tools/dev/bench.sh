#!/usr/bin/env bash
# ./dev bench
set -euo pipefail
source tools/dev/common.sh
source tools/dev/packages.sh

usage='usage: ./dev bench [NAME]

Builds and runs the benchmarks, or the one of that name. Each is run five times, round, ledger, connections and serve three times;
shown are the medians of its figures, among them the limit that it stands next to, measured in the same run, and the
ratio:

  fold         elements of updates added a second, beside a plain sum of the same vectors
  round        seconds a round of fl-server takes with devices that do not train, beside what TLS and the fold
               alone would take, and the memory it takes; FL_BENCH_SIZES=1Mx10,10Mx10 for these alone, parameters
               x devices; without it 0.1Mx50, 0.2Mx100, 1Mx10, 10Mx10 and 100Mx6, which, each relaxed, with fsync
               and as int8, take a quarter of an hour
  ledger       small updates that fl-server acknowledges a second, beside appends to a file that are synced one
               by one, and what the ledger alone records
  connection   bytes a second through a connection, beside OpenSSL alone
  connections  10,000 devices (or FL_BENCH_DEVICES) connected to fl-server: the memory each takes, how many come
               a second beside the handshakes of OpenSSL alone, how long a version takes to all; minutes
  serve        predictions of fl-client's endpoint, of a cnn1d and a 10M-parameter mlp: times and rates beside
               libtorch alone, Boost.Beast alone and a service of FastAPI and PyTorch; three minutes
  training     steps a second, beside PyTorch in Python

The figures are also written to build/bench/NAME.json.'

name=${1:-}
case $name in
  "" | fold | round | ledger | connection | connections | serve | training) (($# <= 1)) || fail "one name at most; ./dev bench --help lists them" 2 ;;
  *) usage_or_fail "$usage" "$name" ;;
esac

install_packages "${build_packages[@]}" "${bench_packages[@]}" "${test_packages[@]}"
# Not there before libbenchmark was.
run_logged "Configuring build" build/configure.log cmake --preset release
build_preset release fl_bench fl-server fl-client
mkdir -p build/bench
build/bin/tests/fl_bench build/bench --benchmark_repetitions=5 "--benchmark_filter=^${name:-.*}(/|\$)"
say "The figures: build/bench/${name:-NAME}.json"
