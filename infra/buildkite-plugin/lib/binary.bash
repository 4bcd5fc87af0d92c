# shellcheck shell=bash
# The `launchgate` binary: the one on PATH, else the pinned one, which is used only if its SHA-256 is the pinned one,
# each time anew: a cache is a place where others write.

# `linux-amd64` and the like, as options and download addresses name it.
platform() {
  local system machine
  system="$(uname -s)"
  machine="$(uname -m)"
  case "$system" in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) refuse "there is no launchgate for $system" ;;
  esac
  case "$machine" in
    x86_64 | amd64) machine=amd64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) refuse "there is no launchgate for $machine" ;;
  esac
  printf '%s-%s' "$system" "$machine"
}

# The SHA-256 of file $1, in lower-case hex.
sha256_of() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$1" | cut -d ' ' -f 1
  else
    shasum -a 256 <"$1" | cut -d ' ' -f 1
  fi
}

# Sets `launchgate` to a binary that may be run.
find_launchgate() {
  local version platform wanted url folder file part found
  version="$(option VERSION)"
  if launchgate="$(command -v launchgate)"; then
    if [[ -n "$version" && "$("$launchgate" version 2>/dev/null)" != "launchgate $version"* ]]; then
      echo "launchgate: the one on PATH ($launchgate) is used; it is not version $version"
    fi
    return
  fi
  [[ -n "$version" ]] ||
    refuse "launchgate is not on PATH; install it, or say version, url and sha256 to have it fetched"
  [[ "$version" =~ ^[0-9A-Za-z.+-]+$ ]] || refuse "version: expected one such as 0.1.0"
  platform="$(platform)"
  wanted="$(option "SHA256_$(printf '%s' "$platform" | tr 'a-z-' 'A-Z_')")"
  [[ "$wanted" =~ ^[0-9a-f]{64}$ ]] ||
    refuse "sha256: say the lower-case hex SHA-256 of launchgate $version for $platform"
  url="$(option URL)"
  [[ "$url" == https://* ]] || refuse "url: say where launchgate $version is fetched from, https://…"
  url="${url//'{version}'/$version}"
  url="${url//'{platform}'/$platform}"

  folder="$(option CACHE_FOLDER)"
  folder="${folder:-${XDG_CACHE_HOME:-$HOME/.cache}/launchgate-buildkite-plugin}"
  mkdir -p "$folder"
  file="$folder/launchgate-$version-$platform-$wanted"
  if [[ ! -f "$file" || "$(sha256_of "$file")" != "$wanted" ]]; then
    echo "launchgate: fetching version $version for $platform"
    part="$(mktemp "$folder/part.XXXXXX")"
    if ! curl --fail --silent --show-error --location --proto '=https' --proto-redir '=https' --retry 3 \
      --connect-timeout 10 --max-time 300 --output "$part" "$url"; then
      rm -f "$part"
      refuse "launchgate $version could not be fetched"
    fi
    found="$(sha256_of "$part")"
    if [[ "$found" != "$wanted" ]]; then
      rm -f "$part"
      refuse "what was fetched has SHA-256 $found, expected $wanted; it was not run"
    fi
    chmod 0755 "$part"
    # Whole or not at all: another job may fetch at the same time.
    mv -f "$part" "$file"
  fi
  launchgate="$file"
}
