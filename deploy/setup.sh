#!/bin/bash
# Leaves a working .venv/bin/archipelago on this machine: `deploy/setup.sh runtime`, or `… dev` with
# all that the tests need. What is there already is left alone; a second time takes a moment only.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin # nft and ip live there, and an ordinary user's PATH may not
purpose=${1:-runtime}
venv=.venv

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null; }

case $purpose in
    runtime) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *) die "cannot set up for \"$purpose\": say runtime or dev" ;;
esac

# --- the system's packages -----------------------------------------------------------------------

podman_helper() { # netavark and aardvark-dns are not in PATH
    local directory
    for directory in /usr/lib/podman /usr/libexec/podman /usr/local/libexec/podman /usr/local/lib/podman; do
        [ ! -x "$directory/$1" ] || return 0
    done
    have "$1"
}

static_busybox() { # prints its path; a dynamic one would not start in an empty image
    local candidate
    for candidate in /bin/busybox /usr/bin/busybox "$venv/busybox-static"; do
        if [ -x "$candidate" ] && ! ldd "$candidate" >/dev/null 2>&1; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

python_ready() { # 3.11 or newer, and able to make an environment
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if python_ready "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

missing=()
look_for_packages() {
    missing=()
    local command
    for command in podman crun runc slirp4netns; do have "$command" || missing+=("$command"); done
    for command in netavark aardvark-dns; do podman_helper "$command" || missing+=("$command"); done
    have nft || missing+=(nftables)
    have iptables || missing+=(iptables) # netavark calls it; nothing depends on it
    have ip || missing+=(iproute2)
    have newuidmap || missing+=(uidmap)
    static_busybox >/dev/null || [ -e /bin/busybox ] || missing+=(busybox-static)
    [ -x "$venv/bin/python" ] || find_python >/dev/null || missing+=(python3-venv)
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

install_packages() {
    have apt-get || return 1
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || return 1
    say "installing ${missing[*]}"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-remove --no-install-recommends)
    # The package lists may be fresh enough; fetching them is the slow part.
    as_root "${install[@]}" "${missing[@]}" >/dev/null 2>&1 && return 0
    as_root apt-get update -qq >/dev/null && as_root "${install[@]}" "${missing[@]}" >/dev/null
}

look_for_packages
if [ ${#missing[@]} -gt 0 ]; then
    install_packages || true
    look_for_packages
fi
if [ ${#missing[@]} -gt 0 ]; then
    say "cannot install these packages here: ${missing[*]}"
    say "please run: sudo apt-get install ${missing[*]}"
    find_python >/dev/null || [ -x "$venv/bin/python" ] || die "cannot go on without Python 3.11 and its venv module"
    have podman || die "cannot go on without Podman"
    say "Podman is there, so this goes on; \`archipelago doctor\` tells what will not work without them"
fi

# --- the environment -----------------------------------------------------------------------------

fingerprint() { echo "$(cat "$lock" pyproject.toml deploy/setup.sh | sha256sum) $PWD"; }

moved() { [ -e "$venv/.setup-runtime" ] && ! grep -qF -- " $PWD" "$venv/.setup-runtime"; }

environment_ready() {
    [ -x "$venv/bin/archipelago" ] && "$venv/bin/python" -c '' 2>/dev/null || return 1
    [ "$(cat "$venv/.setup-$purpose" 2>/dev/null)" = "$(fingerprint)" ]
}

install_environment() {
    # An environment whose Python has gone, or that was moved, is of no use to anybody.
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 || moved; then
        "$(find_python)" -m venv --clear "$venv"
    fi
    say "installing $lock into $venv"
    local pip=("$venv/bin/python" -m pip -qq --disable-pip-version-check install)
    # The lock is complete. Resolving it again takes longer, and older pips then ask for a newer
    # release of what somebody wants with an extra (coverage[toml]), which has no hash here.
    "${pip[@]}" --no-deps --require-hashes -r "$lock"
    "${pip[@]}" --no-deps --no-build-isolation -e .
    # Read again at every start otherwise, where nobody may write beside the code.
    "$venv/bin/python" -m compileall -q reconciler
    fingerprint >"$venv/.setup-$purpose"
    if [ "$purpose" = dev ]; then # which holds all that runtime needs
        (lock=requirements.lock && fingerprint >"$venv/.setup-runtime")
    fi
}

environment_ready || install_environment

# A copy, which is ours and which nobody else may write, whatever the checkout is: see docs/trust.md.
install -m 644 deploy/trust.demo.yaml "$venv/trust.demo.yaml"

# --- busybox for the demo apps -------------------------------------------------------------------

fetch_busybox() { # beside a dynamic busybox, whose package excludes the static one
    have apt-get && have dpkg-deb || return 1
    local directory
    directory=$(mktemp -d)
    (cd "$directory" && apt-get download -qq busybox-static && dpkg-deb -x ./*.deb .) >/dev/null 2>&1 &&
        install -m 755 "$(find "$directory" -path '*bin/busybox')" "$venv/busybox-static"
    local status=$?
    rm -rf "$directory"
    return $status
}

give_busybox() {
    local containerfile app busybox=
    for containerfile in apps/*/Containerfile; do
        [ -e "$containerfile" ] || continue
        app=$(dirname "$containerfile")
        [ ! -x "$app/busybox" ] || continue
        [ -n "$busybox" ] || busybox=$(static_busybox) || { fetch_busybox && busybox=$(static_busybox); } || {
            say "cannot build the demo apps: no static busybox here; please run: sudo apt-get install busybox-static"
            return 0
        }
        install -m 755 "$busybox" "$app/busybox"
    done
}

give_busybox
