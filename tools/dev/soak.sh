#!/usr/bin/env bash
# ./dev soak
set -euo pipefail
source tools/dev/common.sh
source tools/dev/packages.sh

usage='usage: ./dev soak [--kills N]

Builds the programs, and runs longer what ./dev test runs briefly: devices take part in rounds while the server is killed
at random instants, 200 times; every acknowledged update must be in exactly one version, every version the same to the
bit as without the kills, and the home without fault after each. A few minutes.

  --kills N   how often the server is killed'

kills=200
while (($#)); do
  case $1 in
    --kills)
      (($# > 1)) || fail "the option --kills needs a value; ./dev soak --help says which" 2
      kills=$2
      shift 2
      ;;
    *) usage_or_fail "$usage" "$1" ;;
  esac
done
[[ $kills =~ ^[1-9][0-9]{0,5}$ ]] || fail "--kills takes a number from 1 to 999999, not '$kills'" 2

install_packages "${build_packages[@]}" "${test_packages[@]}"
build_preset release e2e_test
say "Killing the server $kills times"
FL_SERVER_KILLS=$kills build/bin/tests/e2e_test --test-case='a server killed at any instant*' ||
  fail "the soak test failed; what it says above tells at which kill, and what was wrong then"
