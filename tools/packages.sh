# Sourced by ./demo and ./check: installs the Debian packages that are missing.

build_packages=(
  cmake ninja-build g++ ccache pkg-config
  libsqlitecpp-dev libsqlite3-dev libssl-dev libxxhash-dev libzstd-dev libfmt-dev
  nlohmann-json3-dev rapidjson-dev libpcre2-dev libutf8proc-dev
  zlib1g-dev liblz4-dev libbrotli-dev liblzma-dev libbz2-dev
  libboost-dev libboost-program-options-dev libboost-iostreams-dev libboost-context-dev
  libhwy-dev
  libgtest-dev libgmock-dev
  python3 sqlite3
)
# libtorch for the tests of the recorder's part on it; without libopenblas0-pthread it is twenty times slower.
check_packages=(clang-format clang-tidy libtorch-dev libopenblas0-pthread chromium chromium-driver python3-selenium)
cuda_packages=(python3-venv)

# install_missing yes|no PACKAGE…: with `no` nothing is installed.
install_missing() {
  local allowed=$1 missing=() package
  shift
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$allowed" = no ]; then
    echo "not installed (--no-install): ${missing[*]}"
    return 0
  fi
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "these packages are missing, and there is neither root nor sudo to install them: ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "installing with apt-get: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
