"""
Who signed a commit or a tag: by `ssh-keygen` and allowed_signers, or by `gpgv` and a keyring.

Both are asked directly, with the signature and the bytes that it is over: git would first ask the
repository's own configuration which program to believe. `gpgv` ends well for keys that were
revoked or are over; what counts is what it says.
"""

import re
import subprocess
import tempfile
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from reconciler.model.commit import Commit
from reconciler.ports import Repository

_SECONDS = 10.0
_SSH = b"-----BEGIN SSH SIGNATURE-----"
_PGP = b"-----BEGIN PGP SIGNATURE-----"
_COMMITTER = re.compile(rb"^(?:committer|tagger) .* (\d{1,12}) [+-]\d{4}$", re.MULTILINE)
_BAD = frozenset({"EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG", "NO_PUBKEY"})
_PRINCIPAL = re.compile(r"[^\s\x00-\x1f]+")


class Signers(Struct, frozen=True):
    """Files of keys that count; both outside of what is verified."""

    allowed: Path | None = None
    keyring: Path | None = None


class Demand(StrEnum):
    """What has to be signed: nothing, the newest commit, each since the last one, or the tag."""

    OFF = "off"
    HEAD = "head"
    RANGE = "range"
    TAG = "tag"


class Verdict(Struct, frozen=True):
    """Who signed, or why nobody did who counts."""

    signer: str = ""
    why: str = ""


def of_commit(raw: bytes, signers: Signers) -> Verdict:
    """Return who signed a commit, given as the object is kept."""
    head, _, message = raw.partition(b"\n\n")
    kept: list[bytes] = []
    signature: list[bytes] = []
    inside = False
    for line in head.split(b"\n"):
        if line.startswith((b"gpgsig ", b"gpgsig-sha256 ")):
            inside = True
            signature.append(line.partition(b" ")[2])
        elif inside and line.startswith(b" "):
            signature.append(line[1:])
        else:
            inside = False
            kept.append(line)
    signed = b"\n".join(kept) + b"\n\n" + message
    return _verdict(b"\n".join(signature) + b"\n", signed, signers) if signature else _unsigned()


def of_tag(raw: bytes, signers: Signers) -> Verdict:
    """Return who signed an annotated tag: there the signature is at the end of the message."""
    for mark in (_SSH, _PGP):
        at = raw.rfind(b"\n" + mark)
        if at >= 0:
            return _verdict(raw[at + 1 :], raw[: at + 1], signers)
    return _unsigned()


def _unsigned() -> Verdict:
    return Verdict(why="is not signed")


def _verdict(signature: bytes, signed: bytes, signers: Signers) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="archipelago-") as place:
        file = Path(place, "signature")
        file.write_bytes(signature)
        try:
            if signature.startswith(_SSH):
                return _by_ssh(file, signed, signers)
            if signature.startswith(_PGP):
                return _by_gpgv(file, signed, signers)
        except subprocess.TimeoutExpired:
            return Verdict(why="is signed, and verifying it did not end in time")
        except OSError as error:
            return Verdict(why=f"is signed, and cannot be verified: {error.strerror}")
    return Verdict(why="has a signature of another kind than SSH's or OpenPGP's")


def _by_ssh(file: Path, signed: bytes, signers: Signers) -> Verdict:
    if signers.allowed is None:
        return Verdict(why="is signed with an SSH key, and no `allowed_signers` is set")
    if not signers.allowed.is_file():
        return Verdict(why=f"cannot be verified: there is no file {signers.allowed}")
    common = ["-f", str(signers.allowed), "-s", str(file)]
    when = _committed(signed)
    found = _run(["ssh-keygen", "-Y", "find-principals", *common, *when], b"")
    principals = found.stdout.decode("utf-8", "replace").splitlines()
    for name in principals if found.returncode == 0 else ():
        if not _PRINCIPAL.fullmatch(name) or name.startswith("-"):
            continue
        command = ["ssh-keygen", "-Y", "verify", "-n", "git", "-I", name, *common, *when]
        if _run(command, signed).returncode == 0:
            return Verdict(signer=name)
    return Verdict(why="is signed with a key that `allowed_signers` does not let sign it")


def _committed(signed: bytes) -> list[str]:
    """A key counts if it counted when the commit was made, as for git itself."""
    found = _COMMITTER.search(signed.partition(b"\n\n")[0])
    if found is None:
        return []
    at = datetime.fromtimestamp(int(found[1]), UTC)
    return [f"-Overify-time={at:%Y%m%d%H%M%S}Z"]


def _by_gpgv(file: Path, signed: bytes, signers: Signers) -> Verdict:
    if signers.keyring is None:
        return Verdict(why="is signed with an OpenPGP key, and no `keyring` is set")
    if not signers.keyring.is_file():
        return Verdict(why=f"cannot be verified: there is no file {signers.keyring}")
    keyring = str(signers.keyring.absolute())
    done = _run(["gpgv", "--status-fd", "1", "--keyring", keyring, str(file), "-"], signed)
    said = [
        line.split()[1:]
        for line in done.stdout.decode("utf-8", "replace").splitlines()
        if line.startswith("[GNUPG:] ")
    ]
    words = [words[0] for words in said if words]
    valid = [words for words in said if words[:1] == ["VALIDSIG"]]
    good = done.returncode == 0 and len(valid) == 1 and words.count("GOODSIG") == 1
    if good and not _BAD & set(words):
        return Verdict(signer=f"OpenPGP {valid[0][-1]}")
    if "REVKEYSIG" in words:
        return Verdict(why="is signed with a key that was revoked")
    if "EXPKEYSIG" in words:
        return Verdict(why="is signed with a key that is over")
    return Verdict(why="is signed with a key that is not in the keyring, or was changed since")


def _run(command: list[str], text: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        input=text,
        capture_output=True,
        timeout=_SECONDS,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
        check=False,
    )


class SignatureVerifier(Struct, frozen=True):
    """Implements `ports.CommitVerifier` with the operator's files of keys."""

    demand: Demand
    signers: Signers
    tag: str = ""  # the name that a signed tag has to have: it is part of what is signed

    def since(self, repository: Repository, head: str, applied: str) -> tuple[Commit, ...]:
        """Return those that have to be signed, newest first, each with its signer or why not."""
        match self.demand:
            case Demand.OFF:
                return ()
            case Demand.TAG:
                tag = repository.tag()
                raw = repository.raw("tag", tag) if tag else b""
                verdict = of_tag(raw, self.signers) if tag else Verdict(why="has no signed tag")
                if f"\ntag {self.tag}\n".encode() not in raw.partition(b"\n\n")[0] + b"\n":
                    verdict = Verdict(why=verdict.why or "has a tag that was signed as another")
                return (Commit(head, signer=verdict.signer, unsigned=verdict.why),)
            case Demand.RANGE if applied and repository.contains(head, applied):
                every = repository.between(applied, head)
            case _:
                every = (head,)
        verdicts = ((c, of_commit(repository.raw("commit", c), self.signers)) for c in every)
        return tuple(Commit(c, signer=v.signer, unsigned=v.why) for c, v in verdicts)
