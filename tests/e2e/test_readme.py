"""
The README cannot lie: its commands are run here, in order, and the world is looked at after each.

A command is checked by what the README says one sees (`# → words`), by a look at the world, or by
both. What cannot be run in a test is in ELSEWHERE, with what is done instead. A command that is in
none of these fails the test, and so does an entry that the README does not use.
"""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from e2e.box import COMMAND, PATIENCE, Box, app, condition, ready

pytestmark = pytest.mark.e2e
CHECKOUT = Path(__file__).resolve().parent.parent.parent
README = CHECKOUT / "README.md"
DEMO = {"clock", "dashboard", "guestbook"}
HELLO = "desired-state/hello/manifest.yml"

ELSEWHERE = {
    "git clone URL archipelago && cd archipelago": "the demo is copied instead",
    "make run": "the command of its recipe is run, without the setting up",
    "make test": "this is it",
}


def commands(text):
    """Return the commands of all shell blocks, each with what the README says one sees."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for line in "".join(blocks).splitlines():
        command, _, comment = line.partition("  # ")
        if command.strip():
            said = comment.strip()
            yield command.strip(), said.removeprefix("→ ") if said.startswith("→ ") else None


def picture(text):
    """Return the rows of the README's picture of the terminal: app, condition, images, health."""
    block = re.search(r"^```\n(APP .*?)\n\n.*?^```", text, re.DOTALL | re.MULTILINE)
    assert block, "the README has no picture of the terminal"
    return rows(block[1])


def rows(table):
    """Return the words of a status table that do not change with time or with a busybox."""
    head, *lines = table.splitlines()
    starts = [m.start() for m in re.finditer(r"\S+", head)]
    cells = [
        [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        for line in lines
    ]
    return [
        [app_, state, re.sub(r":[0-9a-f]{12}$", "", image), health]
        for app_, state, image, health, *_ in cells
    ]


def recipe():
    """Return the words with which `make run` starts the loop."""
    found = re.search(
        r"^run:.*\n\t@\$\(BIN\)/archipelago (.+)$",
        (CHECKOUT / "Makefile").read_text(),
        re.MULTILINE,
    )
    assert found, "the Makefile's target `run` does not run `archipelago`"
    return found[1].split()


@pytest.fixture
def demo(tmp_path, podman_cli, monkeypatch):
    """The checkout's demo, run as `make run` does, but for the folders that all worlds share."""
    root = tmp_path / "archipelago"
    monkeypatch.setenv("ARCHIPELAGO_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("ARCHIPELAGO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ARCHIPELAGO_WINDOW", "1")  # what is replaced is soon removed
    for folder in ("apps", "desired-state"):
        shutil.copytree(CHECKOUT / folder, root / folder)
    (root / ".venv").symlink_to(COMMAND.parent.parent)
    box = Box(tmp_path / "box", podman_cli)
    box.root, box.instance, box.state = root, "archipelago", tmp_path / "state"
    box.desired, box.catalogue = root / "desired-state", root / "apps"
    before = podman_cli("ps", "-aq", "--filter", "label=io.archipelago.instance=archipelago")
    assert not before, "somebody else's demo runs in this world"
    with box.output.open("a") as log:
        box.process = subprocess.Popen([COMMAND, *recipe()], stdout=log, stderr=log, cwd=root)
    yield box
    box.clean()


class Reader:
    """Who types what the README says, in one terminal."""

    def __init__(self, root):
        self.root, self.exports = root, []

    def type(self, command):
        if command.startswith("export "):
            self.exports.append(command)
        done = subprocess.run(
            ["bash", "-c", "\n".join([*self.exports, command])],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def sees(self, command, words):
        """Type it, again and again, until these words are there; return all that is there."""
        ends = time.monotonic() + PATIENCE
        while words not in (told := self.type(command)):
            assert time.monotonic() < ends, f"`{command}` never shows `{words}`:\n{told}"
            time.sleep(0.1)
        return told


def greets(it, told):
    """Whether the one container of hello runs, and was made to greet so."""
    found = it.containers("label=io.archipelago.app=hello", running=True)
    if len(found) != 1:  # the old one is stopped, and the new one not started yet
        return False
    (name,) = found
    variables = it.podman("inspect", "--format", "{{json .Config.Env}}", name)
    return f'"GREETING={told}"' in variables


def alone(it):
    """Whether nothing is left of earlier revisions of hello."""
    return len(it.containers("label=io.archipelago.app=hello")) == 1


def hello_greets(word):
    def look(it):
        status = it.wait(
            lambda s: ready(s, "hello") and not s["problems"] and alone(it) and greets(it, word),
            f"hello to greet with {word}",
        )
        assert not condition(status, "hello", "Stalled")["status"]

    return look


def hello_serves_on(it):
    """Nothing stops, and the place of the mistake is told."""
    status = it.wait(
        lambda s: condition(s, "hello", "Stalled")["status"] and ready(s, "hello") and alone(it),
        "the mistake, and hello to serve all the same",
    )
    line = (it.root / HELLO).read_text().splitlines().index("  nam: Hello") + 1
    assert app(status, "hello")["message"].startswith(f"{HELLO}:{line}:3: ")
    assert "did you mean `name`?" in app(status, "hello")["message"]
    assert all(ready(status, name) for name in DEMO)
    assert greets(it, "Bonjour")


def hello_is_gone(it):
    status = it.wait_gone("hello")
    assert {a["id"] for a in status["apps"]} == DEMO
    assert all(ready(status, name) for name in DEMO)
    assert it.containers("label=io.archipelago.app=hello") == {}


def everything_is_held(it):
    it.wait(lambda s: [a["reason"] for a in s["apps"]] == ["MassRemoval"] * 3, "three holds")
    assert len(it.containers(running=True)) == 4


def everything_is_gone_but_the_data(it):
    it.wait_gone(*DEMO)
    assert it.containers() == {}
    place = ("volume", "inspect", "--format", "{{.Mountpoint}}", "archipelago-guestbook-data")
    assert (Path(it.podman(*place)) / "entries").read_text() == "Ada\n"


LOOKS = {
    f"cp -r apps/hello {Path(HELLO).parent}": hello_greets("Hello"),
    f"sed -i 's/GREETING: Hello/GREETING: Bonjour/' {HELLO}": hello_greets("Bonjour"),
    f"sed -i 's/^  name:/  nam:/' {HELLO}": hello_serves_on,
    f"sed -i 's/^  nam:/  name:/' {HELLO}": hello_greets("Bonjour"),
    f"rm -r {Path(HELLO).parent}": hello_is_gone,
    "rm desired-state/*.yml": everything_is_held,
    "archipelago confirm removal --yes": everything_is_gone_but_the_data,
}


def test_every_command_does_what_the_readme_says(demo):
    text = README.read_text()
    reader = Reader(demo.root)
    unused = {*ELSEWHERE, *LOOKS}
    demo.wait_ready(*DEMO)
    for command, seen in commands(text):
        unused.discard(command)
        if command in ELSEWHERE:
            continue
        known = command.startswith("export ") or seen or command in LOOKS
        assert known, f"nobody says what `{command}` does: give it a `# → …`, or a look in here"
        told = reader.sees(command, seen or "")
        if command in LOOKS:
            LOOKS[command](demo)
            assert not re.search("cannot|No such|error", told), told
    assert not unused, f"not in the README any more: {unused}"
    # "`git checkout desired-state` brings it back, with Ada still in the guestbook."
    shutil.copytree(CHECKOUT / "desired-state", demo.desired, dirs_exist_ok=True)
    demo.wait_ready(*DEMO)
    reader.sees("curl http://127.0.0.1:8090/cgi-bin/entries", "Ada")


def test_the_picture_is_what_the_demo_looks_like(demo):
    demo.wait_ready(*DEMO)
    table = Reader(demo.root).type(".venv/bin/archipelago status")
    assert picture(README.read_text()) == rows(table.partition("\n\n")[0])


def test_the_dashboard_starts_after_what_it_needs(demo):
    demo.wait_ready(*DEMO)
    lines = (demo.state / demo.instance / "events.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    order = [(e["app"], e["reason"]) for e in told]
    began = order.index(("dashboard", "NotInstalled"))
    assert order.index(("dashboard", "DependencyNotReady")) < began
    assert order.index(("clock", "Serving")) < began
    assert order.index(("guestbook", "Serving")) < began


def test_a_mistake_in_a_folder_that_is_its_own_build_context_touches_nothing(demo):
    demo.wait_ready(*DEMO)
    reader = Reader(demo.root)
    reader.type("cp -r apps/hello desired-state/hello")
    hello_greets("Hello")(demo)
    before = demo.container("hello")["Id"]
    for wrong, right in (("name", "nam"), ("nam", "name")):
        reader.type(f"sed -i 's/^  {wrong}:/  {right}:/' {HELLO}")
        demo.wait(lambda s, n=wrong: bool(s["problems"]) is (n == "name"), "the edit to be seen")
        time.sleep(1)
        assert demo.container("hello")["Id"] == before


@pytest.mark.parametrize("other", ["podman ps", "rm -rf apps"])
def test_a_command_that_nobody_checks_is_noticed(other):
    text = f"```sh\n{other}\ncurl x  # → y\n```\n"
    assert list(commands(text)) == [(other, None), ("curl x", "y")]
    assert other not in ELSEWHERE | LOOKS
