#!/bin/bash
# `tests/debian13.sh CMD…` runs CMD in this checkout as Debian 13 sees it: Podman 5.4, Python 3.13.
#
# The system is made once, with mmdebstrap, from the mirror that apt uses here, and kept outside of
# the checkout, in $ARCHIPELAGO_DEBIAN13 or /var/tmp/archipelago-debian13; remove it to have it made
# anew. CMD runs in a mount namespace in which that system is all there is, but for the checkout at
# /srv/checkout and this machine's /proc, /sys and /dev. Its .venv is its own, from the same lock.
# Where Debian 13 is not to be had, nothing is run, which is said, and the exit code is 0.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

place=${ARCHIPELAGO_DEBIAN13:-/var/tmp/archipelago-debian13}
packages=podman,runc,crun,netavark,aardvark-dns,nftables,iptables,iproute2,uidmap,passt,slirp4netns
packages+=,busybox-static,python3,python3-venv,ca-certificates
packages+=,make,git,curl,openssl,graphviz,prometheus,docker-registry # which the tests ask for

say() { echo "debian13: $*" >&2; }
skip() { say "skipped: $*"; exit 0; }

mirror() { # the Debian archive that apt uses
    apt-get indextargets --format '$(CREATED_BY) $(ORIGIN) $(SITE)' |
        awk '$1 == "Packages" && $2 == "Debian" && $3 !~ /security/ { print $3; exit }'
}

install_mmdebstrap() {
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap)
    "${install[@]}" >/dev/null 2>&1 || { apt-get update -qq && "${install[@]}" >/dev/null; }
}

make_system() {
    local archive scratch
    archive=$(mirror)
    [ -n "$archive" ] || skip "apt uses no Debian archive here, so there is nothing to make Debian 13 from"
    scratch=$place/making
    rm -rf --one-file-system "$scratch" # which one that was killed left
    mkdir "$scratch"
    /usr/lib/apt/apt-helper download-file "$archive/dists/trixie/InRelease" "$scratch/InRelease" >/dev/null 2>&1 ||
        skip "the mirror of Debian that apt uses here has no Debian 13 (trixie)"
    command -v mmdebstrap >/dev/null || install_mmdebstrap
    say "making Debian 13 in $place"
    mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" trixie "$scratch/system" "$archive"
    mkdir -p "$scratch/system/srv/checkout" "$scratch/system/srv/wheels" "$scratch/system/srv/venv"
    mv "$scratch/system" "$place/system"
    rm -r "$scratch"
}

fetch_wheels() { # with pip's settings of this machine; in there, no index is asked
    local known=$place/wheels/.made-from
    ! cmp -s requirements-dev.lock "$known" || return 0
    say "fetching requirements-dev.lock for Python 3.13"
    rm -rf "$place/wheels"
    .venv/bin/python -m pip -qq --disable-pip-version-check download --no-deps --require-hashes \
        --only-binary=:all: --python-version 3.13 --dest "$place/wheels" -r requirements-dev.lock
    cp requirements-dev.lock "$known"
}

enter() { # in a mount namespace of its own
    local system=$place/system mounted
    mount --make-rprivate /
    mount --bind "$system" "$system"
    mount --bind . "$system/srv/checkout"
    mount --bind "$system/srv/venv" "$system/srv/checkout/.venv"
    mount --bind "$place/wheels" "$system/srv/wheels"
    for mounted in proc sys dev; do mount --rbind "/$mounted" "$system/$mounted"; done
    mount -t tmpfs -o mode=755 tmpfs "$system/run"
    mkdir "$system/run/this-machine"
    cd "$system"
    pivot_root . run/this-machine
    cd /srv/checkout
    umount --lazy /run/this-machine
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        TERM="${TERM:-dumb}" ${CI:+CI="$CI"} PIP_NO_INDEX=1 PIP_FIND_LINKS=/srv/wheels \
        bash -euc 'deploy/setup.sh dev; exec 9>&-; exec "$@"' debian13 "$@"
}

case ${1:-} in
    '') sed -n '2,/^set/{/^#/p}' "$0" >&2; exit 2 ;;
    --enter) shift; enter "$@" ;;
esac
[ "$(id -u)" = 0 ] || skip "only root can make a Debian 13 and enter it"
command -v apt-get >/dev/null || skip "there is no apt on this machine to make Debian 13 with"
mkdir -p "$place" .venv
exec 9>"$place/lock"
flock 9 # held until the environment is there; what is run may run side by side
[ -d "$place/system" ] || make_system
fetch_wheels
exec unshare --mount "$0" --enter "$@"
