"""Secrets on disk: made once, at random, for this user alone; and the facts of this box."""

import os
import re

import bcrypt
import pytest

from reconciler.errors import SecretError
from reconciler.model.secret import SecretKind, SecretRef, SecretSpec
from reconciler.security import facts
from reconciler.security.secrets import SecretFiles

KINDS = {
    SecretKind.HEX16: r"[0-9a-f]{32}",
    SecretKind.HEX32: r"[0-9a-f]{64}",
    SecretKind.BASE64: r"[A-Za-z0-9+/]{43}=",
    SecretKind.BCRYPT: r"[0-9a-f]{32}",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_of_each_kind(tmp_path, kind):
    kept = SecretFiles(tmp_path / "secrets")
    for name in ("a", "b"):
        kept.ensure(SecretSpec("web", name, kind))
    values = {kept.read(SecretRef("web", name)) for name in ("a", "b")}
    assert len(values) == 2
    assert all(re.fullmatch(KINDS[kind], value) for value in values)


def test_the_hash_of_a_password_is_that_of_the_password(tmp_path):
    kept = SecretFiles(tmp_path)
    kept.ensure(SecretSpec("web", "a", SecretKind.BCRYPT))
    password, hashed = (kept.read(SecretRef("web", "a", hashed=h)) for h in (False, True))
    assert bcrypt.checkpw(password.encode(), hashed.encode())
    (tmp_path / "web" / "a.bcrypt").unlink()  # killed in between
    kept.ensure(SecretSpec("web", "a", SecretKind.BCRYPT))
    assert kept.read(SecretRef("web", "a")) == password
    again = kept.read(SecretRef("web", "a", hashed=True))
    assert bcrypt.checkpw(password.encode(), again.encode())


def test_nobody_else_may_look(tmp_path):
    before = os.umask(0)
    try:
        SecretFiles(tmp_path / "secrets").ensure(SecretSpec("web", "a", SecretKind.HEX32))
    finally:
        os.umask(before)
    file = tmp_path / "secrets" / "web" / "a"
    assert [p.stat().st_mode & 0o777 for p in (file, file.parent)] == [0o600, 0o700]


def test_what_is_kept_is_told_by_name(tmp_path):
    kept = SecretFiles(tmp_path / "secrets")
    assert kept.kept() == frozenset()
    kept.ensure(SecretSpec("web", "a", SecretKind.BCRYPT))
    kept.ensure(SecretSpec("db", "b", SecretKind.HEX16))
    (tmp_path / "secrets" / "db" / "c.new").write_text("half")
    assert kept.kept() == {("web", "a"), ("db", "b")}
    assert kept.names("db") == ("b",)
    assert kept.names("nobody") == ()


def test_what_was_half_written_is_written_again(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a.new").write_text("half")
    kept = SecretFiles(tmp_path)
    kept.ensure(SecretSpec("web", "a", SecretKind.HEX16))
    assert len(kept.read(SecretRef("web", "a"))) == 32


def test_a_secret_that_cannot_be_kept_says_why(tmp_path):
    (tmp_path / "secrets").write_text("a file")
    with pytest.raises(SecretError, match="cannot keep the secret a of web: not a directory"):
        SecretFiles(tmp_path / "secrets").ensure(SecretSpec("web", "a", SecretKind.HEX16))


def test_a_secret_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(SecretError, match="cannot read the secret a of web: no such file"):
        SecretFiles(tmp_path).read(SecretRef("web", "a"))


def test_the_facts_of_this_box(tmp_path):
    found = facts.of_this_box(tmp_path / "not" / "yet")
    assert found["HOST_MDNS"].endswith(".local")
    assert int(found["DISK_GB"]) >= 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", found.get("HOST_IP", "0.0.0.0"))
