"""The git source, on real git: what is taken, what is not and why, what a repository may try."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from git_server import Forge, have_sshd, served, ssh_served
from simulation import ManualClock

from reconciler.errors import SourceError
from reconciler.following import Following, GitFollower
from reconciler.sources.git import GitMirror
from reconciler.sources.git_call import Remote
from reconciler.sources.git_checkout import GitRepository
from reconciler.sources.git_signatures import Demand, SignatureVerifier, Signers
from reconciler.sources.work_tree import commit_of

APP = "app:\n  id: {}\n  name: {}\n  container: {{image: localhost/x:1}}\n"


@pytest.fixture
def forge(tmp_path):
    return Forge(tmp_path / "forge")


class Follow:
    """A box that follows: one look at a time."""

    def __init__(self, root, url, ref="main", demand=Demand.OFF, below="", **more):
        self.folder = root / "git"
        signers = more.pop("signers", Signers())
        self.repository = GitRepository(self.folder, Remote(str(url), ref, **more), below)
        self.woken, self.allowed, self.bugs = 0, "", []
        what = Following(str(url), ref, allowed=lambda: self.allowed)
        verifier = SignatureVerifier(demand, signers, ref.removeprefix("refs/tags/"))
        self.follower = GitFollower(
            self.repository, verifier, what, ManualClock(), self.wake, self.bugs.append
        )

    def wake(self):
        self.woken += 1

    def look(self):
        return self.follower.look_once()

    def files(self):
        current = self.folder / "current"
        return {
            str(f.relative_to(current)): f.read_text()
            for f in sorted(current.rglob("*"))
            if f.is_file()
        }


def test_what_is_committed_is_there(forge, tmp_path):
    forge.write("box/web.yml", APP)
    forge.write("elsewhere.yml", "no")
    first = forge.commit("Add web")
    box = Follow(tmp_path, forge.tree, below="box")
    told = box.look()
    assert box.files() == {"web.yml": APP}
    assert (told.commit.id, told.told) == (first, "")
    assert told.commit.author == "Alice <alice@example.org>"
    assert told.commit.subject == "Add web"
    assert box.woken == 1
    box.look()
    assert box.woken == 1  # nothing is new
    forge.write("box/db.yml", APP)
    second = forge.commit("Add db")
    assert box.look().commit.id == second
    assert set(box.files()) == {"db.yml", "web.yml"}
    again = Follow(tmp_path, forge.tree, below="box")
    assert again.follower.status().commit.id == second  # known without a look
    moved = Follow(tmp_path, forge.tree)  # the whole repository, from now on
    assert moved.follower.status().commit is None
    moved.look()
    assert set(moved.files()) == {"box/db.yml", "box/web.yml", "elsewhere.yml"}


def test_a_swap_is_never_seen_half(forge, tmp_path):
    box = Follow(tmp_path, forge.tree)
    for number in range(4):
        for name in ("a", "b", "c"):
            forge.write(f"{name}.yml", str(number))
        forge.commit()
        box.look()
        assert set(box.files().values()) == {str(number)}
    kept = list((tmp_path / "git" / "checkouts").iterdir())
    assert len(kept) == 3  # the present one, and two to compare with


def test_a_branch_that_is_not_there(forge, tmp_path):
    forge.commit()
    told = Follow(tmp_path, forge.tree, ref="live").look()
    assert told.commit is None
    assert told.told == "cannot fetch the desired state: couldn't find remote ref refs/heads/live"


def test_a_repository_that_goes_away_changes_nothing(forge, tmp_path):
    forge.write("web.yml", APP)
    first = forge.commit()
    box = Follow(tmp_path, forge.tree)
    box.look()
    shutil.rmtree(forge.tree)
    told = box.look()
    assert told.told.startswith("cannot fetch the desired state: ")
    assert told.commit.id == first
    assert box.files() == {"web.yml": APP}


def test_rewritten_history_needs_a_word(forge, tmp_path):
    forge.write("web.yml", "1")
    first = forge.commit()
    forge.write("web.yml", "2")
    forge.commit()
    box = Follow(tmp_path, forge.tree)
    box.look()
    forge.git("reset", "-q", "--hard", first)
    told = box.look()
    assert f"does not contain {told.commit.short}, which is in force" in told.told
    assert box.files() == {"web.yml": "2"}
    forge.write("web.yml", "3")  # forced, on top of the older one
    forced = forge.commit()
    assert "does not contain" in box.look().told
    box.allowed = first
    assert "does not contain" in box.look().told
    box.allowed = forced
    assert box.look().told == ""
    assert box.files() == {"web.yml": "3"}


HOSTILE = {
    "a link": (lambda f: (f.tree / "x.yml").symlink_to("/etc/passwd"), "x.yml is a link"),
    "a link that stays inside": (lambda f: (f.tree / "x.yml").symlink_to("web.yml"), "is a link"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_leads_elsewhere_is_not_checked_out(forge, tmp_path, case):
    plant, told = HOSTILE[case]
    forge.write("web.yml", APP)
    forge.commit()
    box = Follow(tmp_path, forge.tree)
    box.look()
    plant(forge)
    forge.commit()
    assert told in box.look().told
    assert box.files() == {"web.yml": APP}


def test_a_submodule_is_named(forge, tmp_path):
    other = Forge(tmp_path / "other")
    other.commit()
    forge.write("web.yml", APP)
    add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"]
    forge.git(*add, str(other.tree), "lib")
    forge.commit()
    told = Follow(tmp_path, forge.tree).look()
    assert "lib is a submodule, and only files are taken" in told.told


def tree_with(forge, mode, name):
    """Commit a tree that git itself would not make."""
    blob = forge.git("hash-object", "-w", "--stdin", check=True)
    entry = f"{mode} {name}\0".encode() + bytes.fromhex(blob)
    tree = subprocess.run(
        [
            "git",
            "-C",
            str(forge.tree),
            "hash-object",
            "-t",
            "tree",
            "-w",
            "--literally",
            "--stdin",
        ],
        input=entry,
        capture_output=True,
        check=True,
    ).stdout.decode()
    commit = forge.git("commit-tree", "-m", "evil", tree.strip())
    forge.git("update-ref", "refs/heads/main", commit)


@pytest.mark.parametrize("name", ["..", ".git", ".GIT", "a/b"])
def test_names_that_git_forbids_are_not_even_fetched(forge, tmp_path, name):
    forge.commit()
    tree_with(forge, "100644", name)
    told = Follow(tmp_path, forge.tree).look()
    assert told.told.startswith("cannot fetch the desired state: ")
    assert not (tmp_path / "git" / "current").exists()


def test_names_that_are_odd_are_only_names(forge, tmp_path):
    odd = "--upload-pack=x; $(touch pwned)\n\x1b[31m.yml"
    forge.write(odd, APP)
    forge.commit()
    box = Follow(tmp_path, forge.tree)
    assert box.look().told == ""
    assert set(box.files()) == {odd}


def test_nothing_of_the_repository_runs(forge, tmp_path):
    """No hook, no filter, no export-subst, no configuration of its own."""
    forge.write(".gitattributes", "*.yml filter=evil export-subst\n")
    forge.write("web.yml", "$Format:%H$")
    forge.write(".gitconfig", '[filter "evil"]\n  smudge = touch pwned\n')
    forge.commit()
    hook = forge.tree / ".git" / "hooks" / "post-upload-pack"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch pwned\n")
    hook.chmod(0o755)
    box = Follow(tmp_path, forge.tree)
    assert box.look().told == ""
    assert box.files()["web.yml"] == "$Format:%H$"
    assert not list(tmp_path.rglob("pwned"))


def test_ways_that_run_commands_are_closed(tmp_path):
    told = Follow(tmp_path, f"ext::sh -c 'touch {tmp_path}/pwned'").look()
    assert told.told.startswith("cannot fetch the desired state: ")
    assert not (tmp_path / "pwned").exists()


def test_over_http_with_a_token_that_is_never_told(forge, tmp_path):
    forge.write("web.yml", APP)
    forge.commit()
    token = "t0psecret"
    with served(forge.root, token) as address:
        box = Follow(tmp_path, f"{address}/tree", token=token)
        assert box.look().told == ""
        assert box.files() == {"web.yml": APP}
        wrong = Follow(tmp_path / "wrong", f"{address}/tree", token="wr0ng")
        told = wrong.look().told
        assert told.startswith("cannot fetch the desired state: ")
        assert "wr0ng" not in told
    for file in (tmp_path / "git").rglob("*"):
        assert not file.is_file() or token.encode() not in file.read_bytes()


def test_a_server_that_does_not_answer_has_a_deadline(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/tree"
        began = time.monotonic()
        told = Follow(tmp_path, url, seconds=1.0).look().told
    assert told == "cannot fetch the desired state: no end within 1 s"
    assert time.monotonic() - began < 30


def test_what_was_started_for_a_fetch_ends_with_it(tmp_path):
    """ssh waits longer than we do, and holds the pipes that we read from."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        told = Follow(tmp_path, f"ssh://x@127.0.0.1:{port}/tree", seconds=1.0).look().told
        assert told == "cannot fetch the desired state: no end within 1 s"
        killed_by = time.monotonic() + 10  # a kill is not awaited, only sent
        while left := [c for c in _command_lines() if f"-p\0{port}\0" in c]:
            assert time.monotonic() < killed_by, left
            time.sleep(0.01)


def _command_lines():
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield file.read_text(errors="replace")
        except OSError:
            continue


def test_over_ssh_with_a_host_that_has_to_be_known(forge, tmp_path):
    sshd = have_sshd()
    if not sshd:
        pytest.skip("sshd is not installed (apt-get install openssh-server)")
    forge.write("web.yml", APP)
    forge.commit()
    with ssh_served(forge, sshd) as (port, known):
        url = f"ssh://root@127.0.0.1:{port}{forge.tree}"
        keys = {"ssh_key": forge.keys / "box", "known_hosts": known}
        box = Follow(tmp_path, url, **keys)
        assert box.look().told == ""
        assert box.files() == {"web.yml": APP}
        known.write_text("")
        told = Follow(tmp_path / "other", url, **keys).look().told
        assert "host key verification failed" in told.lower()


# --- who signed ---


def signed_by(forge, *names):
    lines = "".join(forge.key(name) for name in names)
    file = forge.keys / "allowed"
    file.write_text(lines)
    return Signers(allowed=file)


def test_the_newest_commit_has_to_be_signed(forge, tmp_path):
    signers = signed_by(forge, "alice")
    forge.key("mallory")
    box = Follow(tmp_path, forge.tree, demand=Demand.HEAD, signers=signers)
    forge.commit()
    assert "is not taken, it is not signed" in box.look().told
    forge.commit(key="mallory")
    assert "a key that `allowed_signers` does not let sign it" in box.look().told
    good = forge.commit(key="alice")
    told = box.look()
    assert (told.told, told.commit.id) == ("", good)
    assert told.commit.signer == "alice@example.org"


def test_each_commit_since_has_to_be_signed(forge, tmp_path):
    signers = signed_by(forge, "alice", "bob")
    box = Follow(tmp_path, forge.tree, demand=Demand.RANGE, signers=signers)
    forge.commit()
    forge.commit(key="alice")
    assert box.look().told == ""  # the first time, only the newest counts
    forge.commit(key="bob")
    unsigned = forge.commit()
    forge.commit(key="alice")
    assert f"{unsigned[:10]} before it is not signed" in box.look().told


def test_what_was_changed_under_a_signature_shows(forge, tmp_path):
    signers = signed_by(forge, "alice")
    forge.write("web.yml", "1")
    good = forge.commit(key="alice")
    forge.write("web.yml", "2")
    forge.git("add", "-A")
    tree = forge.git("write-tree")
    raw = forge.git("cat-file", "commit", good) + "\n"
    forged = raw.replace(forge.git("rev-parse", f"{good}^{{tree}}"), tree)
    made = subprocess.run(
        ["git", "-C", str(forge.tree), "hash-object", "-t", "commit", "-w", "--stdin"],
        input=forged.encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    forge.git("update-ref", "refs/heads/main", made.strip())
    told = Follow(tmp_path, forge.tree, demand=Demand.HEAD, signers=signers).look().told
    assert "does not let sign it" in told


ALLOWED = {
    "of another purpose": ('alice namespaces="file" {}', "does not let sign it"),
    "that was over": ('alice valid-before="20200101" {}', "does not let sign it"),
    "that counts": ('alice namespaces="git",valid-after="20200101" {}', ""),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_a_key(forge, tmp_path, case):
    line, told = ALLOWED[case]
    forge.key("alice")
    allowed = forge.keys / "allowed"
    allowed.write_text(line.format((forge.keys / "alice.pub").read_text()))
    forge.commit(key="alice")
    signers = Signers(allowed=allowed)
    found = Follow(tmp_path, forge.tree, demand=Demand.HEAD, signers=signers).look().told
    assert told in found
    assert bool(told) == bool(found)


def test_no_program_of_the_repositorys_own_is_believed(forge, tmp_path):
    """git itself would ask the configuration of a repository which program verifies."""
    signers = signed_by(forge, "alice")
    forge.key("mallory")
    forge.write("web.yml", APP)
    forge.commit(key="mallory")
    box = Follow(tmp_path, forge.tree, demand=Demand.HEAD, signers=signers)
    box.look()
    with (tmp_path / "git/mirror.git/config").open("a") as file:
        file.write('[gpg "ssh"]\n  program = /bin/true\n[gpg]\n  program = /bin/true\n')
    assert "does not let sign it" in box.look().told


def test_without_a_file_of_keys_nothing_is_signed(forge, tmp_path):
    signed_by(forge, "alice")
    forge.commit(key="alice")
    for signers, told in (
        (Signers(), "no `allowed_signers` is set"),
        (Signers(allowed=tmp_path / "none"), f"there is no file {tmp_path}/none"),
    ):
        found = Follow(tmp_path, forge.tree, demand=Demand.HEAD, signers=signers).look()
        assert told in found.told


def test_a_signed_tag(forge, tmp_path):
    signers = signed_by(forge, "alice")
    sign = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={forge.keys}/alice"]
    ref = "refs/tags/live"
    box = Follow(tmp_path, forge.tree, ref=ref, demand=Demand.TAG, signers=signers)
    forge.write("web.yml", "1")
    first = forge.commit()
    forge.git("tag", "live")
    assert "has no signed tag" in box.look().told
    forge.git("tag", "-f", "-m", "unsigned", "-a", "live")
    assert "is not signed" in box.look().told
    forge.git(*sign, "tag", "-f", "-s", "-m", "good", "live")
    told = box.look()
    assert (told.told, told.commit.id) == ("", first)
    assert told.commit.signer == "alice@example.org"
    forge.write("web.yml", "2")
    forge.commit()
    forge.git(*sign, "tag", "-s", "-m", "for tests", "candidate")
    forge.git("update-ref", ref, forge.git("rev-parse", "refs/tags/candidate"))
    assert "has a tag that was signed as another" in box.look().told
    assert box.files() == {"web.yml": "1"}


@pytest.fixture
def gpg(tmp_path):
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed (apt-get install gnupg)")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)

    def run(*arguments, **more):
        return subprocess.run(
            ["gpg", "--homedir", str(home), "--batch", "--yes", "--passphrase", "", *arguments],
            capture_output=True,
            check=True,
            timeout=60,
            **more,
        ).stdout

    run.home = home
    yield run
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, timeout=30)


def test_openpgp_keys_count_until_they_are_revoked(forge, tmp_path, gpg):
    gpg("--quick-generate-key", "Alice <alice@example.org>", "ed25519", "sign", "never")
    ring = tmp_path / "ring.gpg"
    ring.write_bytes(gpg("--export"))
    [print_] = [
        line.split(":")[9]
        for line in gpg("--with-colons", "--list-keys").decode().splitlines()
        if line.startswith("fpr:")
    ]
    sign = ["-c", f"user.signingkey={print_}", "commit", "-q", "--allow-empty", "-S", "-m", "x"]
    forge.git(*sign, GNUPGHOME=str(gpg.home))
    signers = Signers(keyring=ring)
    box = Follow(tmp_path, forge.tree, demand=Demand.HEAD, signers=signers)
    told = box.look()
    assert (told.told, told.commit.signer) == ("", f"OpenPGP {print_}")
    revocation = (gpg.home / "openpgp-revocs.d" / f"{print_}.rev").read_text()
    gpg("--import", input=revocation.replace(":-----BEGIN", "-----BEGIN").encode())
    ring.write_bytes(gpg("--export"))
    forge.git("-c", "gpg.format=openpgp", "commit", "-q", "--allow-empty", "-m", "unsigned")
    assert "is not signed" in box.look().told
    again = Follow(tmp_path / "again", forge.tree, demand=Demand.RANGE, signers=signers)
    forge.git("reset", "-q", "--hard", "HEAD~1")
    assert "a key that was revoked" in again.look().told


# --- following ---


def test_it_looks_when_it_is_asked_to(forge, tmp_path):
    forge.write("web.yml", "1")
    forge.commit()
    box = Follow(tmp_path, forge.tree)
    box.follower.start()
    try:
        _until(lambda: box.woken == 1)
        forge.write("web.yml", "2")
        forge.commit()
        box.follower.look()
        _until(lambda: box.woken == 2)
        assert box.files() == {"web.yml": "2"}
    finally:
        box.follower.close()
    assert box.bugs == []


def _until(wanted):
    for _ in range(600):
        if wanted():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def test_a_mirror_that_is_damaged_is_told(forge, tmp_path):
    forge.commit()
    box = Follow(tmp_path, forge.tree)
    box.look()
    shutil.rmtree(tmp_path / "git/mirror.git/objects")
    forge.commit()
    assert box.look().told.startswith("cannot fetch the desired state: ")


def test_too_many_commits_are_not_looked_at_one_by_one(forge, tmp_path, monkeypatch):
    monkeypatch.setattr("reconciler.sources.git.COMMITS", 2)
    first = forge.commit()
    mirror = GitMirror(tmp_path / "m", Remote(str(forge.tree), "main"))
    for _ in range(2):
        forge.commit()
    mirror.fetch()
    assert len(mirror.between(first, "refs/archipelago/head")) == 2
    forge.commit()
    mirror.fetch()
    with pytest.raises(SourceError, match="there are more than 2"):
        mirror.between(first, "refs/archipelago/head")


# --- a work tree of others ---


def test_the_commit_of_a_work_tree_is_read_without_git(forge, tmp_path):
    assert commit_of(tmp_path) is None
    assert commit_of(forge.tree) is None  # nothing was committed yet
    first = forge.commit()
    (forge.tree / "desired").mkdir()
    assert commit_of(forge.tree / "desired").id == first
    forge.git("pack-refs", "--all")
    assert commit_of(forge.tree).id == first
    forge.git("checkout", "-q", "--detach")
    assert commit_of(forge.tree).id == first
    other = tmp_path / "worktrees" / "abc"
    forge.git("worktree", "add", "-q", "-b", "side", str(other))
    link = tmp_path / "link"
    link.symlink_to(other)  # as git-sync swaps it
    assert commit_of(link).id == first
    (forge.tree / ".git" / "HEAD").write_text("ref: ../../../etc/passwd\n")
    assert commit_of(forge.tree) is None
