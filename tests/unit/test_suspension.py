"""What the operator keeps stopped, or as it is, at a given moment."""

from datetime import timedelta

import pytest
from builders import NOW, app, desired
from msgspec.structs import replace

from reconciler.core.suspension import as_of, ends, in_force, told, written
from reconciler.model.desired import Suspension
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import InstallManifest, SuspendManifest
from reconciler.model.origin import Origin

SOON, LATER = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
STOP, LEAVE = Suspension(), Suspension(keep_running=True)


@pytest.mark.parametrize(
    ("why", "own", "every", "want"),
    [
        ("nobody said anything", (), (), None),
        ("it is to stop", (STOP,), (), STOP),
        ("it is to stop for a while", (Suspension(SOON),), (), Suspension(SOON)),
        ("that is over", (Suspension(NOW),), (), None),
        ("all are to stop", (), (STOP,), STOP),
        ("stopping is stronger", (LEAVE,), (STOP,), STOP),
        ("whichever was said of which", (STOP,), (LEAVE,), STOP),
        ("the last to end counts", (Suspension(SOON),), (Suspension(LATER),), Suspension(LATER)),
        ("for good is the longest", (Suspension(SOON),), (STOP,), STOP),
        ("what is over is no word", (Suspension(NOW), LEAVE), (), LEAVE),
        (
            "it is left alone for as long as somebody says",
            (Suspension(SOON, keep_running=True),),
            (Suspension(LATER, keep_running=True),),
            Suspension(LATER, keep_running=True),
        ),
    ],
)
def test_what_counts(why, own, every, want):
    wanted = desired(app("web"), app("db"), suspensions={"web": own, "": every})
    assert in_force(wanted, "web", NOW) == want, why
    spec = as_of(wanted, NOW).apps["web"]
    assert spec.suspended is (want is not None and not want.keep_running)
    assert spec.left_alone is (want is not None and want.keep_running)
    assert spec.suspended_until == (want.until if want else None)


def test_an_end_ends_what_was_taken_for_good_before():
    wanted = desired(replace(app("web"), suspended=True), suspensions={"web": (Suspension(SOON),)})
    assert as_of(wanted, NOW).apps["web"].suspended
    assert not as_of(wanted, SOON).apps["web"].suspended


def test_without_suspensions_nothing_is_made_anew():
    wanted = desired(app("web"))
    assert as_of(wanted, NOW) is wanted


def test_what_documents_say():
    place = Origin("a.yml", 1, 1)
    plain = AppManifest.model_validate({"id": "db", "name": "db", "container": {"image": "x"}})
    found = written(
        Document(said, place)
        for said in (
            plain,
            InstallManifest(app="a"),
            InstallManifest(app="b", suspend=True),
            SuspendManifest(app="b", keep_running=True),
            SuspendManifest.model_validate({"all": True, "until": "2026-01-01T15:00+02:00"}),
        )
    )
    assert found == {"b": (STOP, LEAVE), "": (Suspension(SOON),)}


def test_ends():
    words = {"web": (STOP, Suspension(SOON)), "": (Suspension(NOW), Suspension(LATER))}
    assert sorted(ends(desired(suspensions=words), NOW)) == [SOON, LATER]


def test_words():
    assert told(None, keep_running=False) == "suspended by the operator"
    assert told(SOON, keep_running=True) == (
        "left as it is by the operator until 2026-01-01 13:00 UTC"
    )
    odd = SOON + timedelta(seconds=7)
    assert told(odd, keep_running=False).endswith("until 2026-01-01 13:00:07 UTC")
