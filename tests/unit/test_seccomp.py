"""The filter named `strict`, made of an engine's: a page of one here, the real one in Podman."""

import json
from pathlib import Path

import pytest
from builders import container

from reconciler.drivers.podman.seccomp import FILE, REFUSED, strict, with_profile
from reconciler.errors import DriverRejected

GOLDEN = Path(__file__).parent.parent / "golden" / "seccomp-strict.json"
ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"


def only(value):
    return [{"index": 0, "value": value, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]


def rule(names, action=ALLOW, **more):
    return {"names": names.split(), "action": action, "args": [], **more}


ENGINES = {
    "defaultAction": ERRNO,
    "defaultErrnoRet": 38,
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        rule("kexec_load nice userfaultfd", ERRNO, errnoRet=1),
        rule("clone clone3 fork keyctl mount open ptrace read unshare write"),
        rule("personality", args=only(0)),
        rule("personality", args=only(8)),
        rule("personality", args=only(0xFFFFFFFF)),
        rule("bpf setns sethostname", includes={"caps": ["CAP_SYS_ADMIN"]}),
        rule("bpf setns sethostname", ERRNO, excludes={"caps": ["CAP_SYS_ADMIN"]}, errnoRet=1),
        rule("chroot", includes={"caps": ["CAP_SYS_CHROOT"]}),
        rule("init_module", includes={"caps": ["CAP_SYS_MODULE"]}),
        {"names": ["socket"], "action": ALLOW, "args": None},
    ],
}


def test_what_is_made_of_an_engines_profile(request):
    found = json.dumps(strict(ENGINES), indent=1) + "\n"
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text(), "if that is meant, run pytest with --update-golden"


def test_nothing_that_is_refused_is_left_to_anybody():
    open_ = {n for r in strict(ENGINES)["syscalls"] if r["action"] == ALLOW for n in r["names"]}
    assert open_ == {
        *("fork", "open", "read", "write", "personality", "sethostname", "chroot", "socket"),
        "clone",
    }
    assert not open_ & REFUSED


def test_the_file_is_made_once_and_anew_when_it_is_another(tmp_path):
    engines = tmp_path / "engine.json"
    engines.write_text(json.dumps(ENGINES))
    folder, places = tmp_path / "data", (tmp_path / "none.json", engines)
    spec = container("web", seccomp_profile="strict")
    file = folder / FILE
    assert with_profile(spec, folder, places).seccomp_profile == str(file)
    made = file.stat().st_ino
    with_profile(spec, folder, places)
    assert file.stat().st_ino == made
    file.write_text("{}")
    with_profile(spec, folder, places)
    assert json.loads(file.read_text()) == strict(ENGINES)
    other = container("web", seccomp_profile="/etc/mine.json")
    assert with_profile(other, folder, places) is other


@pytest.mark.parametrize(
    ("text", "why"), [(None, "No such file"), ("{", "no profile"), ("[]", "no profile")]
)
def test_without_the_engines_there_is_none(tmp_path, text, why):
    engines = tmp_path / "engine.json"
    if text is not None:
        engines.write_text(text)
    with pytest.raises(DriverRejected, match=why):
        with_profile(container("web", seccomp_profile="strict"), tmp_path, (engines,))
