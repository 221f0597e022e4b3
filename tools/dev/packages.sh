# shellcheck shell=bash disable=SC2034
# Which Debian 12 packages each command needs, and their installation. Sourced after common.sh.

# The BLAS under libtorch: without a fast one it trains three times slower.
blas_package=libopenblas0-openmp

build_packages=(
  g++ cmake ninja-build
  libboost1.81-dev libboost-json1.81-dev libboost-program-options1.81-dev
  libssl-dev libflatbuffers-dev flatbuffers-compiler flatbuffers-compiler-dev
  libsqlite3-dev libsqlitecpp-dev libzstd-dev libspdlog-dev prometheus-cpp-dev
  libtorch-dev "$blas_package"
  doctest-dev
)
test_packages=(python3-torch binutils)
lint_packages=(clang-format-19 clang-tidy-19)
fuzz_packages=(clang-14 libclang-rt-14-dev)
bench_packages=(libbenchmark-dev python3-fastapi uvicorn)

# install_packages PACKAGE...: installs those that are missing.
install_packages() {
  local missing
  if ! is_debian_12; then
    say_what_is_needed "$@"
    return
  fi
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "these packages are missing, and installing them takes root or sudo: ${missing[*]}"
    as_root=(sudo)
    say "Installing packages with sudo, which may ask for your password."
    sudo -v || fail "sudo was refused; as root, run: apt-get install ${missing[*]}"
  fi
  run_logged "Reading the lists of packages" build/apt-update.log "${as_root[@]}" apt-get update
  run_logged "Installing ${missing[*]}" build/apt-install.log \
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | grep ' installed$' || true)
  for package in "$@"; do
    grep -qxF "$package installed" <<<"$installed" || printf '%s\n' "$package"
  done
}

is_debian_12() {
  [ -r /etc/os-release ] && command -v apt-get >/dev/null || return 1
  (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ])
}

# Said until the first configuration has succeeded, which shows that they are there.
say_what_is_needed() {
  [ ! -f build/build.ninja ] || return 0
  say "This is not Debian 12, so nothing is installed. Needed are what Debian calls: $*"
}
