#!/usr/bin/env bash
# ./dev lint
set -euo pipefail
source tools/dev/common.sh
source tools/dev/packages.sh

usage='usage: ./dev lint [--fix]

Holds every source file against .clang-format and .clang-tidy. A file that was clean is looked at again only when
it, a header it includes, its compile command or a setting has changed.

  --fix   formats the files instead of complaining; what clang-tidy finds is yours to mend'

fix=
for option in "$@"; do
  case $option in
    --fix) fix=yes ;;
    *) usage_or_fail "$usage" "$option" ;;
  esac
done

our_files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard -- '*.cc' '*.h' | while read -r file; do
      [ ! -f "$file" ] || printf '%s\n' "$file"
    done
  else
    find protocol common server client simulations tests tools -name '*.cc' -o -name '*.h'
  fi | sort
}

check_format() {
  if [ -n "$fix" ]; then
    clang-format-19 -i "${files[@]}"
  elif ! clang-format-19 --dry-run --Werror --ferror-limit=1 "${files[@]}" 2>build/lint/format; then
    grep 'error:' build/lint/format | cut -d: -f1 | sort -u >&2 || cat build/lint/format >&2
    fail "the files above are not formatted; ./dev lint --fix formats them"
  fi
}

# What the verdict on each file depends on, as text in build/lint/keys/FILE.
write_keys() {
  local settings
  settings=$(clang-tidy-19 --version | tr '\n' ' ')$(cat .clang-tidy tests/.clang-tidy tools/dev/lint_file.sh \
    tools/dev/cxx17_span.h protocol/schemas/*.fbs | sha256sum)
  rm -rf build/lint/keys
  {
    grep -H '^#include "' "${files[@]}"
    sha256sum "${files[@]}"
    grep -E '^ *"(command|file)": ' build/lint/compile_commands.json
  } | awk -v root="$PWD/" -v settings="$settings" -f tools/dev/lint_keys.awk
}

# The files whose key is not the one under which they were last clean, slow ones first.
unchecked_files() {
  local file
  while read -r file; do
    cmp -s "build/lint/keys/$file" "build/lint/clean/$file" || printf '%s\n' "$file"
  done < <(cd build/lint/keys && find . -type f -name '*.cc' | cut -c3- | sort) >build/lint/unchecked
  grep torch build/lint/unchecked || true
  grep -v torch build/lint/unchecked || true
}

show_progress() {
  local done=0 verdict file seconds
  while read -r verdict file seconds; do
    done=$((done + 1))
    if [ "$verdict" = bad ]; then
      say ""
      cat "build/lint/output/$file"
    elif on_terminal; then
      printf '\r\033[K[%d/%d] %s %s s' "$done" "$1" "$file" "$seconds"
    else
      printf '[%d/%d] %s %s s\n' "$done" "$1" "$file" "$seconds"
    fi
  done
  if on_terminal; then printf '\r\033[K'; fi
}

check_tidy() {
  local todo bad
  write_keys
  mapfile -t todo < <(unchecked_files)
  say "clang-tidy: ${#todo[@]} files to look at, the others have not changed since they were clean"
  rm -rf build/lint/output
  ((${#todo[@]})) || return 0
  if on_terminal; then
    printf '%s\n' "${todo[@]}" | xargs -P "$jobs" -n 1 tools/dev/lint_file.sh | show_progress ${#todo[@]}
  else
    printf '%s\n' "${todo[@]}" | xargs -P "$jobs" -n 1 tools/dev/lint_file.sh | show_progress ${#todo[@]} |
      thin_progress '^\[[0-9]+/'
  fi
  bad=$(for file in "${todo[@]}"; do [ -f "build/lint/clean/$file" ] || printf ' %s' "$file"; done)
  [ -z "$bad" ] || fail "clang-tidy found what is above, in$bad"
}

install_packages "${build_packages[@]}" "${lint_packages[@]}"
mkdir -p build/lint
mapfile -t files < <(our_files)
check_format
build_preset release fl_protocol # whose headers are generated
# Without GCC's precompiled headers, which clang cannot read: each file has to include what it needs itself.
sed 's/ -Winvalid-pch -include [^ ]*//' build/compile_commands.json >build/lint/compile_commands.json
check_tidy
say "Clean: ${#files[@]} files. Next: ./dev test"
