# shellcheck shell=bash
# What the scripts of ./dev share. Sourced with the project's root as working folder.

jobs=${FL_JOBS:-$(nproc)}

say() { printf '%s\n' "$*"; }

# fail SENTENCE [STATUS]: the one clear error that a command ends with.
fail() {
  printf 'error: %s\n' "$1" >&2
  exit "${2:-1}"
}

[[ $jobs =~ ^[1-9][0-9]*$ ]] || fail "FL_JOBS takes a number of jobs from 1, not '$jobs'" 2

# usage_or_fail TEXT OPTION...: prints TEXT and ends where the first option asks for help; else refuses it.
usage_or_fail() {
  case $2 in
    -h | --help) say "$1"; exit 0 ;;
    *) fail "unknown option '$2'; --help lists the options" 2 ;;
  esac
}

# The path as seen from the folder in which ./dev was called.
from_caller() {
  case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "${FL_CALLER_DIR:-$PWD}" "$1" ;;
  esac
}

on_terminal() { [ -t 1 ]; }

# Passes lines through, but of those that match the pattern (progress) at most one in ten seconds.
thin_progress() {
  local pattern=$1 next=0 line
  while IFS= read -r line; do
    if [[ $line =~ $pattern ]]; then
      ((SECONDS >= next)) || continue
      next=$((SECONDS + 10))
    fi
    printf '%s\n' "$line"
  done
}

# run_logged WHAT LOG COMMAND...: runs a talkative command with its output in LOG. Shows its last line, on a
# terminal as it changes and elsewhere every ten seconds; where it fails, the end of the log.
run_logged() {
  local what=$1 log=$2 status=0 next=$((SECONDS + 10)) start=$SECONDS
  shift 2
  mkdir -p "$(dirname "$log")"
  say "$what"
  "$@" >"$log" 2>&1 </dev/null &
  local child=$!
  while kill -0 "$child" 2>/dev/null; do
    sleep 0.2
    if on_terminal; then
      printf '\r\033[K  %4d s  %.100s' $((SECONDS - start)) "$(tail -n 1 "$log" | tr -d '\r')"
    elif ((SECONDS >= next)); then
      next=$((SECONDS + 10))
      printf '  %4d s  %.100s\n' $((SECONDS - start)) "$(tail -n 1 "$log")"
    fi
  done
  if on_terminal; then printf '\r\033[K'; fi
  wait "$child" || status=$?
  ((status == 0)) && return 0
  tail -n 30 "$log" >&2
  fail "$what failed with status $status; all it said is in $log"
}

# build_preset PRESET TARGET...: configures where that has not been done, then builds.
build_preset() {
  local preset=$1 folder status=0
  shift
  folder=$(preset_folder "$preset")
  if [ ! -f "$folder/build.ninja" ]; then
    run_logged "Configuring $folder" "$folder/configure.log" cmake --preset "$preset"
  fi
  say "Building $folder: $*"
  if on_terminal; then
    cmake --build "$folder" -j "$jobs" --target "$@" || status=$?
  else
    cmake --build "$folder" -j "$jobs" --target "$@" 2>&1 | thin_progress '^\[[0-9]+/[0-9]+\]' || status=$?
  fi
  ((status == 0)) || fail "the build in $folder failed; the first error above says where"
}

preset_folder() {
  case $1 in
    release) printf build ;;
    *) printf 'build-%s' "$1" ;;
  esac
}
