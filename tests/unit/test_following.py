"""Which commit is to be in force: a table. In doubt it is the one that is."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from reconciler.core.following import following
from reconciler.model.commit import Commit, CommitEvidence

OLD, NEW = Commit("a" * 40), Commit("b" * 40)
MIDDLE = Commit("c" * 40)
UNSIGNED = "is not signed"


@dataclass
class Case:
    why: str
    given: CommitEvidence
    take: Commit | None = None
    told: str = ""


CASES = [
    Case("what is not known changes nothing", CommitEvidence(None, OLD)),
    Case("the one in force is not taken again", CommitEvidence(OLD, OLD)),
    Case("the first one is taken", CommitEvidence(NEW), NEW),
    Case("a newer one is taken", CommitEvidence(NEW, OLD), NEW),
    Case(
        "one that is signed is taken",
        CommitEvidence(NEW, OLD, since=(replace(NEW, signer="alice"),)),
        NEW,
    ),
    Case(
        "one that has to be signed and is not stays out",
        CommitEvidence(NEW, OLD, since=(replace(NEW, unsigned=UNSIGNED),)),
        told="the newest commit bbbbbbbbbb is not taken, it is not signed",
    ),
    Case(
        "so does one after an unsigned one, and that one is named",
        CommitEvidence(NEW, OLD, since=(NEW, replace(MIDDLE, unsigned=UNSIGNED))),
        told="the newest commit bbbbbbbbbb is not taken, cccccccccc before it is not signed",
    ),
    Case(
        "another history needs a word",
        CommitEvidence(NEW, OLD, descends=False),
        told="the newest commit bbbbbbbbbb does not contain aaaaaaaaaa, which is in force:"
        " history was rewritten, or goes back; if that is meant, `archipelago confirm revision`",
    ),
    Case(
        "with the word it is taken", CommitEvidence(NEW, OLD, descends=False, allowed=NEW.id), NEW
    ),
    Case(
        "a word on another commit is none on this one",
        CommitEvidence(NEW, OLD, descends=False, allowed=MIDDLE.id),
        told="does not contain",
    ),
    Case(
        "no word makes up for a signature",
        CommitEvidence(
            NEW, OLD, since=(replace(NEW, unsigned=UNSIGNED),), descends=False, allowed=NEW.id
        ),
        told="is not signed",
    ),
    Case("the first one has nothing to contain", CommitEvidence(NEW, None, descends=False), NEW),
    Case(
        "what cannot be checked out whole is not",
        CommitEvidence(NEW, OLD, obstacles=("x is a link, and only files are taken",)),
        told="the newest commit bbbbbbbbbb cannot be checked out: x is a link",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_the_next_commit_is(case):
    found = following(case.given)
    assert found.take == case.take
    assert case.told in found.told
    assert bool(case.told) == bool(found.told)
