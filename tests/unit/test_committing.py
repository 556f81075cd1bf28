"""Verbs that write, in git: what is committed, as whom, what is not and why; on real git."""

import json
import os
import pwd
import subprocess
from datetime import UTC, datetime
from functools import partial

import pytest
from git_server import Forge, have_sshd, served, ssh_served
from typer.testing import CliRunner
from unit.test_cli import box, manifest

from reconciler import committing
from reconciler.cli.app import build
from reconciler.model.commit import Commit
from reconciler.report.places import allowed_commit_path
from reconciler.sources.git_call import Remote
from reconciler.sources.git_checkout import GitRepository
from reconciler.sources.git_commit import Author
from reconciler.sources.git_signatures import Signers, of_commit

__all__ = ["box"]  # the fixture


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """A user of whom git knows nothing."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_CONFIG"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SUDO_USER", raising=False)
    return home


# --- in a work tree of the operator's ---


@pytest.fixture
def tree(box, tmp_path):
    """A work tree around the desired folder, with `web` in it."""
    made = Forge(tmp_path / "forge")
    box.desired.rmdir()
    box.desired = made.tree / "box"
    made.write("box/web.yml", manifest("web"))
    made.first = made.commit("Add web")
    entry = tmp_path / "apps" / "db" / "manifest.yml"
    entry.parent.mkdir(parents=True)
    entry.write_text(manifest("db"))
    return made


def changed(tree, commit="HEAD"):
    """What a commit changed, as git tells it."""
    return tree.git("show", "--format=", "--name-status", commit).split("\n")


def dirty(tree):
    return tree.git("status", "--porcelain")


def test_each_verb_is_a_commit_of_what_it_wrote(box, tree):
    told = box.run("install", "db")
    assert told.exit_code == 0, told.stderr
    head = tree.git("rev-parse", "HEAD")
    assert f"Committed as {head[:10]}: Install db." in told.stdout
    assert changed(tree) == ["A\tbox/db.yml"]
    assert tree.git("rev-parse", "HEAD~1") == tree.first
    for verb, word, what in (
        (("suspend", "web"), "Suspend web", "A\tbox/web.suspend.yml"),
        (("resume", "web"), "Resume web", "D\tbox/web.suspend.yml"),
        (("suspend", "--all"), "Suspend everything", "A\tbox/_all.suspend.yml"),
        (("remove", "web"), "Remove web", "D\tbox/web.yml"),
    ):
        told = box.json(*verb)
        assert told["commit"] == tree.git("rev-parse", "HEAD")
        assert told["notice"] == f"Committed as {told['commit'][:10]}: {word}."
        assert tree.git("log", "-1", "--format=%B") == word
        assert changed(tree) == [what]
    assert dirty(tree) == ""
    assert tree.git("fsck", "--strict") == ""
    assert "commit: Remove web" in tree.git("reflog", "-1")


def test_an_approval_is_committed_with_its_install(box, tree):
    asks = manifest("db") + "    devices: [/dev/ttyUSB0]\n"
    (box.root / "apps" / "db" / "manifest.yml").write_text(asks)
    refused = box.run("install", "db", "--yes", "--accept-permissions", "no")
    found = refused.stderr.partition("--accept-permissions ")[2].split(";")[0]
    told = box.run("install", "db", "--yes", "--accept-permissions", found)
    assert told.exit_code == 0, told.stderr
    assert changed(tree) == ["A\tbox/db.approve.yml", "A\tbox/db.yml"]
    box.run("approve", "db", "--revoke")
    assert tree.git("log", "-1", "--format=%s") == "Revoke the approval of db"
    assert changed(tree) == ["D\tbox/db.approve.yml"]


def test_what_else_is_in_the_tree_or_the_index_stays_there(box, tree):
    tree.write("box/other.yml", manifest("other"))
    tree.write("staged.txt", "staged")
    tree.write("box/web.yml", manifest("web") + "# mine\n")
    tree.git("add", "staged.txt", "box/web.yml")
    tree.write("box/web.yml", manifest("web") + "# mine, later\n")
    before = dirty(tree)
    assert "Committed as" in box.run("install", "db").stdout
    assert changed(tree) == ["A\tbox/db.yml"]
    assert dirty(tree) == before
    assert tree.git("show", ":box/web.yml").endswith("# mine")


def test_a_file_with_changes_of_the_operator_is_theirs_to_commit(box, tree):
    tree.write("box/both.yml", manifest("a") + "---\n" + manifest("b"))
    tree.commit()
    tree.write("box/both.yml", manifest("a") + "# mine\n---\n" + manifest("b"))
    told = box.run("remove", "b")
    assert told.exit_code == 0
    assert "not committed: box/both.yml had changes that are not committed" in told.stdout
    assert f"git -C {tree.tree} add -A -- {box.desired}/both.yml && git -C" in told.stdout
    assert tree.git("log", "-1", "--format=%s") == "change"
    assert "# mine" in (box.desired / "both.yml").read_text()


def test_what_the_message_says_to_do_commits_it(box, tree):
    tree.write("box/it's both.yml", manifest("a") + "---\n" + manifest("b"))
    tree.commit()
    tree.write("box/it's both.yml", manifest("a") + "# x\n---\n" + manifest("b"))
    notice = box.json("remove", "b")["notice"]
    env = {**os.environ, "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org"}
    env |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"}
    subprocess.run(["sh", "-c", notice.partition("undone there: ")[2]], check=True, env=env)
    assert tree.git("log", "-1", "--format=%s") == "Remove b"
    assert dirty(tree) == ""


NOT_COMMITTED = {
    "a merge is under way": lambda t: (t.tree / ".git" / "MERGE_HEAD").write_text(t.first),
    "no branch is checked out there": lambda t: t.git("checkout", "-q", "--detach"),
    "box/db.yml is ignored": lambda t: t.write(".gitignore", "db.yml\n"),
    "box/db.yml goes through a filter": lambda t: (
        t.write(".gitattributes", "*.yml filter=crypt\n"),
        t.commit(),
    ),
    "box/db.yml goes through a filter of git's;": lambda t: t.write(
        ".gitattributes", "*.yml filter=crypt\n"
    ),
    "no `commit_key` is set": lambda t: t.git("config", "commit.gpgSign", "true"),
    "Unable to create": lambda t: (t.tree / ".git" / "index.lock").write_text(""),
}


@pytest.mark.parametrize("why", NOT_COMMITTED)
def test_where_it_is_not_plain_what_to_commit_nothing_is(why, box, tree):
    NOT_COMMITTED[why](tree)
    head = tree.git("rev-parse", "HEAD")
    told = box.json("install", "db")
    assert told["commit"] is None
    assert why in told["notice"]
    assert "commit the change, or it is undone there: git -C" in told["notice"]
    assert (box.desired / "db.yml").exists()
    assert tree.git("rev-parse", "HEAD") == head


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write into another's repository")
def test_in_a_repository_of_another_user_nothing_is_made(box, tree):
    subprocess.run(["chown", "-R", "nobody", tree.tree], check=True)
    told = box.run("install", "db")
    assert told.exit_code == 0
    assert "the repository is nobody's" in told.stdout
    owned = {f.stat().st_uid for f in (tree.tree / ".git").rglob("*")}
    assert owned == {pwd.getpwnam("nobody").pw_uid}


def test_nothing_of_the_repository_runs(box, tree, tmp_path):
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $0 >> {ran}\ncat\n")
    program.chmod(0o755)
    hooks = tree.tree / ".git" / "hooks"
    for hook in ("pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "pre-auto-gc"):
        (hooks / hook).symlink_to(program)
    for hook in ("reference-transaction", "post-index-change", "post-rewrite"):
        (hooks / hook).symlink_to(program)
    for name in ("core.fsmonitor", "gpg.program", "gpg.ssh.program", "core.editor", "core.pager"):
        tree.git("config", name, str(program))
    tree.git("config", "core.hooksPath", str(hooks))
    tree.git("config", "filter.x.clean", str(program))
    tree.git("config", "log.showSignature", "true")
    assert "Committed as" in box.run("install", "db").stdout
    assert "Committed as" in box.run("remove", "web").stdout
    assert not ran.exists()
    tree.git("status")  # the programs are there: git itself runs them
    assert ran.exists()


def test_the_first_commit_of_a_repository(box, tmp_path):
    forge = Forge(tmp_path / "new")
    box.desired.rmdir()
    box.desired = forge.tree
    box.write("web.yml", manifest("web"))
    assert "Committed as" in box.run("suspend", "web").stdout
    assert changed(forge) == ["A\tweb.suspend.yml"]


def test_a_repository_of_longer_ids(box, tmp_path):
    forge = Forge(tmp_path / "new")
    forge.git("init", "-q", "--object-format=sha256", "-b", "main", str(tmp_path / "long"))
    forge.tree = box.desired = tmp_path / "long"
    forge.write("web.yml", manifest("web"))
    forge.commit()
    key = forge.keys / "box"
    (tmp_path / "allowed").write_text(forge.key("box"))
    (tmp_path / "none.toml").write_text(f'commit_key = "{key}"\n')
    for verb in ("suspend", "resume"):
        told = box.json(verb, "web")
        assert told["commit"] == forge.git("rev-parse", "HEAD"), told
        allowed = f"gpg.ssh.allowedSignersFile={tmp_path / 'allowed'}"
        forge.git("-c", allowed, "verify-commit", "HEAD")
    assert dirty(forge) == ""


def test_a_linked_work_tree_and_a_linked_folder(box, tree, tmp_path):
    tree.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    (tmp_path / "link").symlink_to(tmp_path / "other" / "box")
    box.desired = tmp_path / "link"
    assert "Committed as" in box.run("install", "db").stdout
    assert changed(tree, "other") == ["A\tbox/db.yml"]
    assert tree.git("status", "--porcelain", at=tmp_path / "other") == ""


def test_the_author_is_who_git_says_and_otherwise_the_login(box, tree, nobody):
    box.run("suspend", "web")
    login = pwd.getpwuid(os.geteuid()).pw_name
    host = os.uname().nodename
    assert tree.git("log", "-1", "--format=%an <%ae> %cn") == f"{login} <{login}@{host}> {login}"
    (nobody / ".gitconfig").write_text("[user]\nname = Ada L\nemail = ada@example.org\n")
    box.run("resume", "web")
    assert tree.git("log", "-1", "--format=%an <%ae>") == "Ada L <ada@example.org>"
    tree.git("config", "user.name", "Here")
    box.run("suspend", "web")
    assert tree.git("log", "-1", "--format=%an <%ae>") == "Here <ada@example.org>"


def test_a_name_cannot_forge_a_line_of_a_commit():
    line = Author("Eve\nparent 1 <x>", "e@x>\n").line(datetime.fromtimestamp(0, UTC))
    assert line == "Eveparent 1 x <e@x> 0 +0000"


def test_it_is_signed_with_the_key_that_is_set(box, tree, tmp_path):
    (tmp_path / "allowed").write_text(tree.key("box"))
    key = tree.keys / "box"
    (tmp_path / "none.toml").write_text(f'commit_key = "{key}"\n')
    told = box.json("install", "db")
    allowed = tmp_path / "allowed"
    check = ["-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", "HEAD"]
    assert tree.git(*check) == ""  # by git itself
    raw = subprocess.run(
        ["git", "-C", tree.tree, "cat-file", "commit", told["commit"]],
        capture_output=True,
        check=True,
    ).stdout
    assert of_commit(raw, Signers(allowed)).signer == "box@example.org"
    key.unlink()
    told = box.json("remove", "db")
    assert told["commit"] is None
    assert f"cannot sign it with {key}" in told["notice"]


def test_with_commit_off_it_is_left_to_the_operator(box, tree):
    (box.root / "none.toml").write_text("commit = false\n")
    told = box.json("install", "db")
    assert told["commit"] is None
    assert told["notice"].endswith("commit the change, or it is undone there.")
    assert tree.git("rev-parse", "HEAD") == tree.first


# --- of a git source ---


@pytest.fixture
def forge(box, tmp_path):
    """A bare repository on loopback, and a box that follows the folder `box` of it."""
    made = Forge(tmp_path / "forge")
    made.write("box/web.yml", manifest("web"))
    made.write("elsewhere.txt", "no")
    made.bare = made.root / "bare.git"
    made.git("init", "-q", "--bare", "-b", "main", str(made.bare), at=made.root)
    made.git("config", "http.receivepack", "true", at=made.bare)
    made.git("remote", "add", "origin", str(made.bare))
    made.publish = lambda *options: made.git("push", "-q", *options, "origin", "main")
    made.commit("Add web")
    made.publish()
    entry = tmp_path / "apps" / "db" / "manifest.yml"
    entry.parent.mkdir(parents=True)
    entry.write_text(manifest("db"))
    box.desired.rmdir()
    box.run = partial(following, box)
    return made


def following(box, *words, stdin=None):
    places = [f"--catalogue={box.root}/apps", f"--state-dir={box.state}"]
    places += ["--config", str(box.root / "none.toml")]
    return CliRunner().invoke(build(), [*words, *places], input=stdin)


def follow(box, url, more="", **git):
    lines = {"url": str(url), "path": "box", "push": True, **git}
    written = "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
    (box.root / "none.toml").write_text(f"{more}[git]\n{written}")


def take(box, forge):
    """Have the newest commit in force, as a loop would."""
    repository = GitRepository(box.own("git"), Remote(str(forge.bare), "main"), "box")
    repository.take(repository.commit(repository.fetch()))
    return repository


def at(forge, *what):
    return forge.git(*what, at=forge.bare)


def test_a_verb_is_a_commit_that_is_pushed(box, forge):
    with served(forge.root, token="s3cret") as address:
        (box.root / "token").write_text("s3cret\n")
        follow(box, f"{address}/bare.git", token_file=str(box.root / "token"))
        told = box.run("install", "db")
        assert told.exit_code == 0, told.stderr
        head = at(forge, "rev-parse", "main")
        assert "Wrote box/db.yml: the loop installs db." in told.stdout
        assert f"Committed as {head[:10]} and pushed: Install db." in told.stdout
        assert at(forge, "show", "--format=%s", "--name-status", "main").split("\n\n") == [
            "Install db",
            "A\tbox/db.yml",
        ]
        told = box.json("remove", "web")
        assert told["files"] == [{"file": "box/web.yml", "deleted": True}]
        assert told["commit"] == at(forge, "rev-parse", "main")
        assert at(forge, "ls-tree", "-r", "--name-only", "main").split() == [
            "box/db.yml",
            "elsewhere.txt",
        ]
        wake = allowed_commit_path(box.own("")).with_name("pushed.json")
        assert json.loads(wake.read_text()) == {"commit": told["commit"]}
    repository = take(box, forge)
    assert repository.applied().id == told["commit"]


@pytest.mark.skipif(not have_sshd(), reason="there is no sshd here")
def test_it_is_pushed_over_ssh(box, forge):
    with ssh_served(forge, have_sshd()) as (port, known):
        user = pwd.getpwuid(os.geteuid()).pw_name
        url = f"ssh://{user}@127.0.0.1:{port}{forge.bare}"
        follow(box, url, ssh_key=str(forge.keys / "box"), known_hosts=str(known))
        told = box.json("suspend", "web")
        assert told["commit"] == at(forge, "rev-parse", "main")


def test_without_a_push_a_verb_says_where_to_change_it(box, forge):
    follow(box, forge.bare, push=False)
    for verb in (("install", "db"), ("remove", "web"), ("suspend", "web"), ("resume", "web")):
        told = box.run(*verb)
        assert told.exit_code == 1
        assert "change it there, and push, or let verbs do so with `push`" in told.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write into another's repository")
def test_in_the_mirror_of_another_user_nothing_is_made(box, forge):
    follow(box, forge.bare)
    take(box, forge)
    mirror = box.own("git") / "mirror.git"
    subprocess.run(["chown", "-R", "nobody", mirror], check=True)
    told = box.run("install", "db")
    assert told.exit_code == 1
    assert f"{mirror} is nobody's; do this as them" in told.stderr
    assert {f.stat().st_uid for f in mirror.rglob("*")} == {pwd.getpwnam("nobody").pw_uid}


class Racing:
    """Somebody else pushes between a look and a push, a number of times."""

    def __init__(self, monkeypatch, push, times):
        self.push, self.times = push, times
        made = committing.Proposal.commit

        def commit(*arguments):
            if self.times:
                self.times -= 1
                self.push()
            return made(*arguments)

        monkeypatch.setattr(committing.Proposal, "commit", commit)


def test_who_was_faster_is_built_upon(box, forge, monkeypatch):
    follow(box, forge.bare)

    def other():
        forge.git("pull", "-q", "--rebase", "origin", "main")
        forge.write("box/other.yml", manifest(f"other{racing.times}"))
        forge.commit("Faster")
        forge.publish()

    racing = Racing(monkeypatch, other, 2)
    told = box.json("install", "db")
    log = at(forge, "log", "--format=%s", "main").split("\n")
    assert log == ["Install db", "Faster", "Faster", "Add web"]
    assert told["commit"] == at(forge, "rev-parse", "main")
    racing.times = 99
    refused = box.run("suspend", "web")
    assert refused.exit_code == 1
    assert "others pushed 5 times meanwhile; nothing was written" in refused.stderr
    assert "web.suspend.yml" not in at(forge, "ls-tree", "-r", "--name-only", "main")


def test_what_another_changed_meanwhile_is_not_written_over(box, forge, monkeypatch):
    follow(box, forge.bare)

    def other():
        forge.write("box/web.yml", manifest("web") + "# another's\n")
        forge.commit("Change web")
        forge.publish()

    Racing(monkeypatch, other, 1)
    refused = box.run("remove", "web")
    assert refused.exit_code == 1
    assert "web.yml was changed there meanwhile; nothing was written, try again" in refused.stderr
    assert at(forge, "log", "-1", "--format=%s", "main") == "Change web"


def test_what_was_forced_meanwhile_is_not_undone(box, forge, monkeypatch):
    """A lease: the branch is what it was, or it is not touched."""
    follow(box, forge.bare)
    first = forge.git("rev-parse", "HEAD")
    forge.write("box/other.yml", manifest("other"))
    forge.commit("Add other")
    forge.publish()

    def back():
        forge.git("reset", "-q", "--hard", first)
        forge.publish("--force")

    Racing(monkeypatch, back, 1)
    assert box.run("install", "db").exit_code == 0
    assert at(forge, "log", "--format=%s", "main").split("\n") == ["Install db", "Add web"]


def test_a_server_that_refuses_is_told_of_once(box, forge):
    follow(box, forge.bare)
    hook = forge.bare / "hooks" / "update"
    hook.write_text("#!/bin/sh\necho this branch is protected >&2\nexit 1\n")
    hook.chmod(0o755)
    told = box.run("install", "db")
    assert told.exit_code == 1
    assert told.stderr.startswith("cannot push the change: ")
    assert "nothing was written" in told.stderr
    assert at(forge, "log", "--format=%s", "main") == "Add web"


def signed(box, forge, key="", verify="range", who=("alice", "box")):
    (box.root / "allowed").write_text("".join(forge.key(name) for name in who))
    more = f'commit_key = "{forge.keys / key}"\n' if key else ""
    follow(box, forge.bare, more, verify=verify, allowed_signers=str(box.root / "allowed"))
    forge.write("box/web.yml", manifest("web") + "# signed\n")
    forge.commit("Sign", key="alice")
    forge.publish()


def test_where_signatures_count_the_box_signs(box, forge):
    signed(box, forge, key="box")
    told = box.json("install", "db")
    raw = subprocess.run(
        ["git", "-C", forge.bare, "cat-file", "commit", told["commit"]],
        capture_output=True,
        check=True,
    ).stdout
    assert of_commit(raw, Signers(box.root / "allowed")).signer == "box@example.org"


def test_what_no_loop_would_take_is_not_pushed(box, forge):
    signed(box, forge)
    head = at(forge, "rev-parse", "main")
    told = box.run("install", "db")
    assert told.exit_code == 1
    assert "the commit is not signed, and no loop would take it; set `commit_key`" in told.stderr
    forge.key("stranger")
    (box.root / "none.toml").write_text(
        f'commit_key = "{forge.keys / "stranger"}"\n' + (box.root / "none.toml").read_text()
    )
    told = box.run("install", "db")
    assert "list " in told.stderr
    assert "stranger.pub in `allowed_signers`" in told.stderr
    assert at(forge, "rev-parse", "main") == head


@pytest.mark.parametrize("verify", ["head", "range"])
def test_our_signature_does_not_stand_for_what_a_stranger_pushed(verify, box, forge):
    signed(box, forge, key="box", verify=verify)
    take(box, forge)
    forge.write("box/evil.yml", manifest("evil"))
    forge.commit("Not signed")
    forge.publish()
    head = at(forge, "rev-parse", "main")
    told = box.run("install", "db")
    assert told.exit_code == 1
    assert f"the newest commit {Commit(head).short} is not taken, it is not signed" in told.stderr
    assert at(forge, "rev-parse", "main") == head


def test_messages_name_files_of_the_repository(box, forge):
    follow(box, forge.bare)
    told = box.run("install", "web")
    assert told.exit_code == 1
    assert "it is desired already" in told.stderr or "cannot find the app" in told.stderr
    assert "/tmp/archipelago-" not in told.stderr
