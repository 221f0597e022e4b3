#!/usr/bin/env bash
# ./dev demo
set -euo pipefail
source tools/dev/common.sh
source tools/dev/packages.sh
source tools/dev/federation.sh

usage='usage: ./dev demo [--data FOLDER [--hold-out NAME,NAME...]] [--rounds N] [--port PORT]

Runs fl-server and one fl-client for each person as processes of this machine, on loopback over TLS, with certificates
made on the spot. They train one model that recognises activities from the motion of a phone; each device learns from
its own person'\''s recordings. Every round is tested on people who took no part. Then the server is stopped, each
device trains alone to compare, and one predicts. Everything is written to ./demo-home, which is made afresh each time.

  --data FOLDER     recordings of real people, FOLDER/DATA/PERSON/PERSON_NN_sp.csv, instead of made-up ones
  --hold-out NAMES  with --data: who takes no part and is tested on; the last quarter of them without it
  --rounds N        rounds of training (12; with --data 20)
  --port PORT       where the server listens on loopback; a free port without it'

data=
hold_out=
rounds=
port=0

# The value of the option in front, or a clear error.
value_of() {
  if (($# < 2)) || [[ $2 == --* ]]; then fail "the option $1 needs a value; ./dev demo --help says which" 2; fi
  printf '%s' "$2"
}

while (($#)); do
  case $1 in
    --data) data=$(value_of "$@") ;;
    --hold-out) hold_out=$(value_of "$@") ;;
    --rounds) rounds=$(value_of "$@") ;;
    --port) port=$(value_of "$@") ;;
    *) usage_or_fail "$usage" "$1" ;;
  esac
  shift 2
done
[ -z "$hold_out" ] || [ -n "$data" ] || fail "--hold-out goes with --data; the made-up people are split already" 2
[ -z "$data" ] || data=$(from_caller "$data")
[ -z "$data" ] || [ -d "$data" ] || fail "there is no folder $data; --data names the one that holds DATA"
rounds=${rounds:-$([ -n "$data" ] && printf 20 || printf 12)}
[[ $rounds =~ ^[1-9][0-9]{0,3}$ ]] || fail "--rounds takes a number from 1 to 9999, not '$rounds'" 2
[[ $port =~ ^[0-9]{1,5}$ ]] || fail "--port takes a number from 0 to 65535, not '$port'" 2

install_packages "${build_packages[@]}"
build_preset release fl-server fl-client
trap stop_everything EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say ""
[ -z "$data" ] || choose_people
say "Everything this writes goes to $PWD/$home"
rm -rf "$home"
mkdir -p "$home/devices" "$home/logs"
[ -n "$data" ] || make_up_people
make_server
start_server
start_devices
follow_rounds
stop_everything
compare_with_training_alone
predict_offline
say_what_happened
