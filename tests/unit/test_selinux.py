"""Who gets a label of SELinux: what is asked of Podman, since no kernel here has it."""

import pytest

from reconciler.drivers.podman.selinux import labelled


def bind(source, *options):
    return {"type": "bind", "source": str(source), "destination": "/x", "options": list(options)}


@pytest.fixture
def own(tmp_path):
    for name in ("data/web/photos", "data/other", "shares", "srv"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "data/web/link").symlink_to(tmp_path / "srv")
    return tmp_path


@pytest.mark.parametrize(
    ("why", "source", "options", "want"),
    [
        ("the app's own", "data/web/photos", ["ro"], ["ro", "z"]),
        ("the app's own, as a whole", "data/web", [], ["z"]),
        ("a copy of another app's file", "shares/copy", ["ro"], ["ro", "z"]),
        ("the manifest says: for this container alone", "data/web", ["Z"], ["Z"]),
        ("the manifest says: shared", "data/web", ["z", "ro"], ["z", "ro"]),
        ("the machine's", "srv", ["ro"], ["ro"]),
        ("the machine's, and the manifest says so", "srv", ["Z"], ["Z"]),
        ("another app's", "data/other", [], []),
        ("one whose name only begins so", "data/web2", [], []),
        ("a link that leads out", "data/web/link", [], []),
        ("a way up", "data/web/../../srv", [], []),
    ],
)
def test_who_is_labelled(own, why, source, options, want):
    mounts = [bind(own / source, *options)]
    (found,) = labelled(mounts, (own / "data/web", own / "shares"))
    assert found["options"] == want, why
    assert mounts[0]["options"] == options


def test_memory_has_no_label(own):
    memory = {"type": "tmpfs", "destination": "/x", "options": ["rw"]}
    assert labelled([memory], (own / "data",)) == [memory]
