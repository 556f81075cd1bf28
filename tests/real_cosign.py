"""A real Cosign: those of Debian, taken out of their packages, kept outside of the checkout."""

import os
import shutil
import subprocess
from pathlib import Path

PLACE = Path(os.environ.get("ARCHIPELAGO_COSIGN", "/var/tmp/archipelago-cosign"))
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def find(suite):
    """Return the program of a suite of Debian's and "", or None and why it is not to be had."""
    place = PLACE / suite
    program = place / "usr/bin/cosign"
    if program.exists():
        return program, ""
    try:
        _fetch(suite, place)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or str(error)
        return None, f"the cosign of Debian's {suite} is not to be had here: {told.strip()[-300:]}"
    return program, ""


def _fetch(suite, place):
    archive = _archive()
    if not archive:
        raise OSError("apt uses no Debian archive")
    apt = place / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {archive} {suite} main\n")
    own = [
        *("-o", f"Dir::Etc::SourceList={apt}/sources.list", "-o", "Dir::Etc::SourceParts=-"),
        *("-o", f"Dir::State::Lists={apt}/lists", "-o", f"Dir::Cache={apt}/cache"),
        *("-o", "APT::Sandbox::User=root"),
    ]
    _run("apt-get", *own, "-qq", "update")
    _run("apt-get", *own, "-qq", "download", "cosign", at=place)
    (package,) = place.glob("cosign_*.deb")
    _run("dpkg-deb", "--extract", package, place)
    shutil.rmtree(apt)
    package.unlink()


def _archive():
    told = _run("apt-get", "indextargets", "--format", "$(CREATED_BY) $(ORIGIN) $(SITE)")
    for line in told.splitlines():
        made, origin, site = line.split(maxsplit=2)
        if (made, origin) == ("Packages", "Debian") and "security" not in site:
            return site
    return ""


def _run(*words, at=None):
    done = subprocess.run(words, cwd=at, check=True, capture_output=True, text=True, timeout=300)
    return done.stdout


if __name__ == "__main__":
    for wanted in ("trixie", "sid"):
        found, why = find(wanted)
        print(f"cosign: {found or f'skipped: {why}'}")
