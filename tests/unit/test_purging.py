"""When the data of an app may be deleted: never on a doubt. One row per situation."""

from dataclasses import dataclass

import pytest
from builders import app, desired, observed, problem, seen
from msgspec.structs import replace

from reconciler.core.purging import Remains, presence, refusal
from reconciler.model.desired import Desired
from reconciler.model.observed import ContainerState, Observed
from reconciler.model.volume import Kept, ObservedVolume, Presence

DATA = ObservedVolume("archipelago-web-data", "web")
REMAINS = Remains("web", (DATA,), Kept(("key",), 1, 1, 1))
WEB, SHOP = app("web"), app("shop", requires=("web",))
NOTHING_WANTED, NOTHING_HERE = Desired(), Observed()
NAMELESS, NAMED = problem("bad.yml"), problem("bad.yml", "cannot use `image`", "db")


@dataclass
class Case:
    why: str
    want: str
    remains: Remains = REMAINS
    desired: Desired = NOTHING_WANTED
    observed: Observed = NOTHING_HERE


CASES = (
    Case("what nobody wants and nobody uses may go", ""),
    Case("volumes alone may go", "", Remains("web", (DATA,))),
    Case("what the state folder keeps may go alone", "", Remains("web", (), Kept(pins=1))),
    Case(
        "a network that is left holds nothing",
        "",
        observed=observed(networks=("web",)),
    ),
    Case("other apps hold nothing", "", desired=desired(app("db")), observed=observed(seen("db"))),
    Case(
        "what is desired is removed first, and its file is named",
        "it is desired, by web.yml:1:1; `archipelago remove web` first",
        desired=desired(WEB),
        observed=observed(seen(WEB)),
    ),
    Case(
        "what others require goes with them",
        "it is here because shop requires it; remove shop first",
        desired=desired(replace(WEB, requested=False), SHOP),
    ),
    Case(
        "a folder that cannot be read may want it",
        "whether it is wanted is not known (cannot read desired: no such file or directory)",
        desired=Desired(
            complete=False,
            incomplete_because="cannot read desired: no such file or directory",
        ),
    ),
    Case(
        "a document that cannot be used wants it",
        "a document that cannot be used wants it (web.yml:3:5: cannot be read); mend it",
        desired=desired(broken={"web": problem("web.yml", app="web")}),
    ),
    Case(
        "what a broken app requires is not known",
        "what db requires is not known (bad.yml:3:5: cannot be read); mend its document",
        desired=desired(broken={"db": problem(app="db")}),
    ),
    Case(
        "a broken file that names no app may want any",
        "a broken file may want it (bad.yml:3:5: cannot be read); mend the file first",
        desired=desired(problems=(NAMED, NAMELESS), broken_files={"bad.yml": NAMED}),
    ),
    Case(
        "a problem that is in no file of the desired folder is no doubt",
        "",
        desired=desired(problems=(NAMELESS,)),
    ),
    Case(
        "containers are removed first",
        "its containers are still there (web-main); a running loop removes them",
        observed=observed(seen("web", state=ContainerState.EXITED)),
    ),
    Case(
        "a volume that anybody uses stays, and so does all the rest",
        "the volume archipelago-web-data is used by backup, other; remove that first",
        replace(REMAINS, users={"a": (), DATA.name: ("backup", "other")}),
    ),
    Case(
        "of what is not there nothing is deleted",
        "there is no data of it; `archipelago volumes` lists what there is",
        Remains("web"),
    ),
    Case(
        "what is only named so is not ours to delete",
        "archipelago-web-data is named as its volumes are, and does not carry our label; if it is"
        " yours to delete: `podman volume rm archipelago-web-data`",
        Remains("web", foreign=("archipelago-web-data",)),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.why)
def test_purging(case):
    told = refusal(case.remains, case.desired, case.observed)
    if case.want:
        assert told.startswith(f"cannot purge web: {case.want}")
    else:
        assert told == ""


STOPPED = observed(seen("web", state=ContainerState.EXITED))


@pytest.mark.parametrize(
    ("why", "volume", "want", "have", "told"),
    [
        ("it runs", DATA, desired(WEB), observed(seen(WEB)), Presence.RUNNING),
        ("it runs, though nobody wants it", DATA, Desired(), observed(seen("web")), "running"),
        ("it does not run", DATA, desired(WEB), Observed(), Presence.DESIRED),
        (
            "a broken document wants it",
            DATA,
            desired(broken={"web": problem()}),
            STOPPED,
            "desired",
        ),
        ("it is on its way out", DATA, Desired(), STOPPED, Presence.STOPPED),
        ("it was removed", DATA, Desired(), Observed(), Presence.REMOVED),
        ("nobody knows", DATA, Desired(complete=False), Observed(), Presence.UNKNOWN),
        ("not ours", ObservedVolume("x", ""), desired(WEB), Observed(), Presence.FOREIGN),
    ],
)
def test_what_there_is_of_the_app_of_a_volume(why, volume, want, have, told):
    assert presence(volume, want, have) == told, why


def test_that_something_is_kept():
    assert not Kept()
    assert Kept(secrets=("key",))
    assert Kept(documents=1)
