"""The file of the operator's policy: what is not understood entirely denies."""

import os

import pytest

from reconciler.model.policy import NO_POLICY, Limit, Policy, Review, Revoked, Rule
from reconciler.security.policy import PolicyFile

GOOD = """
review = "all"
revoked = "stop"

[[rule]]
name = "ours"
registries = ["docker.io", "ghcr.example.org/immich"]

[[rule]]
name = "confined"
never_privileged = true
never_capabilities = ["CAP_SYS_ADMIN", "net_raw"]
never_paths = ["/etc/", "//run"]
limits = ["memory", "pids"]
but = ["home-assistant"]
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "desired").mkdir()
    return tmp_path


def reader(place, name="policy.toml"):
    return PolicyFile(place / name, place / "desired")


def write(place, text, mode=0o644, name="policy.toml"):
    file = place / name
    file.write_text(text)
    file.chmod(mode)
    return file


def test_without_a_file_nothing_is_ruled(place):
    assert reader(place).read() == NO_POLICY


def test_a_file_is_read_as_it_is_written(place):
    file = write(place, GOOD)
    assert reader(place).read() == Policy(
        str(file),
        (
            Rule("ours", registries=("docker.io", "ghcr.example.org/immich")),
            Rule(
                "confined",
                never_capabilities=("SYS_ADMIN", "NET_RAW"),
                never_paths=("/etc", "/run"),
                never_privileged=True,
                limits=(Limit.MEMORY, Limit.PIDS),
                but=("home-assistant",),
            ),
        ),
        Review.ALL,
        Revoked.STOP,
    )


def test_an_empty_file_rules_nothing_and_is_known(place):
    file = write(place, "")
    assert reader(place).read() == Policy(str(file))


def test_it_is_read_again_only_where_it_is_another_one(place):
    write(place, "")
    policy = reader(place)
    before = policy.read()
    assert policy.read() is before
    write(place, 'review = "none"')
    assert policy.read().review is Review.NONE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("review", "Expected '=' after a key"),
        ("rewiew = 'all'", "there is no key `rewiew` there, did you mean `review`?"),
        ("zebra = 1", "there is no key `zebra` there: there are review, revoked, rule"),
        ("review = 'some'", "`review` is one of all, elevated, none"),
        ("review = 1", "`review` is one of"),
        ("review = ['all']", "`review` is one of"),
        ("revoked = 'kill'", "`revoked` is one of keep, stop"),
        ("rule = 'a'", "begin each rule with `[[rule]]`"),
        ("rule = ['a']", "begin each rule with `[[rule]]`"),
        ("[[rule]]", "rule 1 has no name"),
        ("[[rule]]\nname = ' '", "rule 1 has no name"),
        ("[[rule]]\nname = 'a'", "nothing is ruled in the rule `a`"),
        ("[[rule]]\nname = 'a'\nbut = ['x']", "nothing is ruled in the rule `a`"),
        ("[[rule]]\nname = 'a'\nnever = 1", "there is no key `never` in the rule `a`"),
        (
            "[[rule]]\nname = 'a'\nnever_privileged = 'yes'",
            "`never_privileged` in the rule `a` is neither true nor false",
        ),
        ("[[rule]]\nname = 'a'\nregistries = 'x'", "`registries` in the rule `a` is a list"),
        ("[[rule]]\nname = 'a'\nregistries = [1]", "has an entry that is no text"),
        ("[[rule]]\nname = 'a'\nregistries = ['']", "has an entry that is no text"),
        (
            "[[rule]]\nname = 'a'\nnever_capabilities = ['NET_RAWW']",
            "there is no capability `NET_RAWW`",
        ),
        ("[[rule]]\nname = 'a'\nlimits = ['disk']", "`limits` in the rule `a` are of cpu, memory"),
        ("[[rule]]\nname = 'a'\nnever_paths = ['etc']", "`etc` is not an absolute path"),
        ("[[rule]]\nname = 'a'\nnever_paths = ['/a/../etc']", "is not an absolute path"),
        (
            "[[rule]]\nname = 'a'\nnever_privileged = true\n" * 2,
            "two rules are named `a`: give each its own name",
        ),
    ],
)
def test_a_mistake_denies_and_is_told(place, text, why):
    file = write(place, text)
    found = reader(place).read()
    assert found.rules == ()
    assert found.unreadable.startswith(f"cannot use the policy {file}: ")
    assert why in found.unreadable
    assert "\n" not in found.unreadable


def test_what_is_no_text_denies(place):
    (place / "policy.toml").write_bytes(b"\xff\xfe")
    assert reader(place).read().unreadable
    write(place, "#" * (2**20 + 1))
    assert "larger than 1 MiB" in reader(place).read().unreadable


def test_what_others_may_write_denies(place):
    file = write(place, "", mode=0o664)
    policy = reader(place)
    assert policy.read().unreadable.endswith(
        f"{file} may be written by others: say `chmod go-w {file}`"
    )
    file.chmod(0o644)
    assert not policy.read().unreadable
    place.chmod(0o777)
    assert f"`chmod go-w {place}`" in policy.read().unreadable


def test_what_belongs_to_somebody_else_denies(place, monkeypatch):
    file = write(place, "")
    owner = file.stat().st_uid
    if owner == 0:
        os.chown(file, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert "belongs to somebody else" in reader(place).read().unreadable


def test_what_lies_in_the_desired_folder_denies_also_behind_a_link(place):
    write(place / "desired", "")
    (place / "policy.toml").symlink_to(place / "desired" / "policy.toml")
    assert "it lies in the desired folder" in reader(place).read().unreadable


def test_one_that_is_gone_denies_until_it_is_back(place):
    file = write(place, "")
    policy = reader(place)
    policy.read()
    file.unlink()
    assert policy.read().unreadable == f"cannot use the policy {file}: it is gone"
    write(place, "")
    assert not policy.read().unreadable


def test_one_that_cannot_be_looked_at_denies(place):
    (place / "file").write_text("")
    found = reader(place, "file/policy.toml").read()
    assert found.unreadable.endswith("not a directory")
    (place / "folder").mkdir()
    assert reader(place, "folder").read().unreadable.endswith("is a directory")
