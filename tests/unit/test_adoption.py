"""Which containers are taken over, and what keeps them from it."""

import pytest
from builders import NOW, app, container, seen
from msgspec.structs import replace
from unit.test_likeness import PLAIN

from reconciler.core.adoption import (
    Candidate,
    Standing,
    adoptions,
    candidates,
    names_to_look_for,
    obstacle,
)
from reconciler.core.comparison import compare
from reconciler.model.adoption import Adopted, Adoptions
from reconciler.model.container import MountKind, MountSpec
from reconciler.model.desired import Denial
from reconciler.model.evidence import Evidence
from reconciler.model.observed import ContainerState
from reconciler.model.origin import Origin, Problem
from reconciler.model.trust import Trust

DATA = MountSpec(MountKind.VOLUME, "archipelago-web-data", "/data")
THEIRS = MountSpec(MountKind.VOLUME, "archipelago-db-data", "/theirs")
PIN = "sha256:" + "a" * 64


def main(name="main", **more):
    return container("web", name, no_new_privileges=False, **more)


def compared(spec, *observed):
    return compare(spec, observed, frozenset(), {}, NOW)


def chosen(spec, *facts, observed=(), named=None):
    return candidates(compared(spec, *observed), facts, named or {})


def standings(found):
    return {c.wanted.name: c.standing for c in found}


def test_an_app_of_one_container_is_looked_for_under_its_own_name():
    assert names_to_look_for(compared(app("web", main())), {}) == (
        "web",
        "web-main",
        "web_main",
        "web_main_1",
        "web-main-1",
        "web_web_1",
        "web-web-1",
    )


def test_containers_of_a_larger_app_are_looked_for_under_theirs_or_what_was_said():
    spec = app("web", main("front"), main("db"))
    assert names_to_look_for(compared(spec), {"front": "nginx"}) == (
        "nginx",
        "web-db",
        "web_db",
        "web_db_1",
        "web-db-1",
        "db",
    )


def test_the_first_that_is_the_same_is_taken_before_one_that_differs():
    spec = app("web", main())
    other = replace(PLAIN, name="web", ref="other", user="0")
    same = replace(PLAIN, name="web_web_1")
    (found,) = chosen(spec, other, same)
    assert (found.standing, found.facts) == (Standing.SAME, same)
    (found,) = chosen(spec, other)
    assert (found.standing, found.facts) == (Standing.DIFFERS, other)
    assert len(found.differences) == 2, "the hostname is another as well"


def test_who_was_said_is_the_only_one():
    spec = app("web", main())
    named = {"main": "mine"}
    mine = replace(PLAIN, name="mine")
    assert standings(chosen(spec, PLAIN, mine, named=named)) == {"main": Standing.SAME}
    assert chosen(spec, PLAIN, named=named) == (Candidate(spec.containers[0], Standing.MISSING),)
    assert standings(chosen(spec, PLAIN, named={"main": PLAIN.ref})) == {"main": Standing.SAME}


def test_one_container_stands_for_one_of_the_app():
    spec = app("web", main("front"), main("db"))
    found = chosen(spec, PLAIN, named={"front": PLAIN.name, "db": PLAIN.ref})
    assert standings(found) == {"front": Standing.SAME, "db": Standing.MISSING}


def test_a_container_with_somebodys_label_is_theirs():
    (found,) = chosen(app("web", main()), replace(PLAIN, instance="other"))
    assert found.standing is Standing.DIFFERS
    assert found.differences == ("it is a container of the instance other already",)


def test_what_is_ours_is_left_as_it_is():
    spec = app("web", main("front"), main("db"))
    ours = seen(spec, "front")
    assert standings(chosen(spec, replace(PLAIN, name="web-db"), observed=(ours,))) == {
        "front": Standing.OURS,
        "db": Standing.SAME,
    }


@pytest.mark.parametrize("state", [ContainerState.CREATED, ContainerState.BROKEN])
def test_one_of_ours_that_never_ran_is_in_nobodys_way(state):
    """The loop may have tried to install it, and found the port taken by the one to adopt."""
    spec = app("web", main())
    assert standings(chosen(spec, PLAIN, observed=(seen(spec, state=state),))) == {
        "main": Standing.SAME
    }


def test_podmans_own_restarts_are_told_and_are_in_nobodys_way():
    (found,) = chosen(app("web", main()), replace(PLAIN, restarts="always"))
    assert found.standing is Standing.SAME
    (told,) = found.notes
    assert told.startswith("Podman restarts it by itself (always), without pauses, until")


def test_what_is_written_down_says_what_labels_would():
    wanted = main(mounts=(DATA, THEIRS), pin=PIN, stop_grace_period=3.0, secrets=("key",))
    spec = app("web", wanted, main("db"), requires=("mail",))
    wanted = spec.containers[0]
    found = (
        Candidate(wanted, Standing.SAME, PLAIN),
        Candidate(spec.containers[1], Standing.OURS),
    )
    assert adoptions(found, compared(spec)) == Adoptions(
        {
            PLAIN.ref: Adopted(
                "web",
                "main",
                wanted.digest,
                wanted.image,
                PIN,
                ("mail",),
                ("key",),
                "web.yml",
                3.0,
            )
        },
        {"archipelago-web-data": "web"},
    )


def test_what_differs_is_not_written_down():
    spec = app("web", main())
    found = (Candidate(spec.containers[0], Standing.DIFFERS, PLAIN, ("x",)),)
    assert adoptions(found, compared(spec)) == Adoptions()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"stale": Problem(Origin("a.yml", 1, 2), "wrong")}, "a.yml:1:2: wrong"),
        ({"unsupported": ("hooks",)}, "this version cannot carry out hooks"),
        ({"denial": Denial("asks for more")}, "asks for more"),
        ({"denial": Denial("had it", admitted=True)}, "had it"),
    ],
)
def test_what_guards_an_install_guards_an_adoption(change, told):
    assert obstacle(compared(replace(app("web", main()), **change)), Evidence()) == told


def test_an_image_that_nobody_known_has_signed_is_not_adopted():
    spec = app("web", main(image="registry.example/web:1"))
    told = obstacle(compared(spec), Evidence(trust=Trust()))
    assert "registry.example/web" in told
