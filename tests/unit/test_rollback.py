"""When an update has failed, what is desired then, and what is kept to go back to."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from builders import (
    CHECK,
    NOW,
    answered,
    app,
    container,
    desired,
    observed,
    running,
    seen,
    situation,
    steps_of,
    told,
)
from msgspec.structs import replace

from reconciler.core import digest
from reconciler.core.judging import judged
from reconciler.core.planner import compare_all, plan, still_wanted
from reconciler.core.revisions import serving_since, to_remember
from reconciler.core.rollback import effective, with_failed
from reconciler.core.situation import Situation
from reconciler.model.change import Action, Change, Reason
from reconciler.model.container import Restart, StartCondition
from reconciler.model.desired import Desired
from reconciler.model.evidence import Evidence
from reconciler.model.health import ProbeRecord
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState
from reconciler.model.pin import Pin
from reconciler.model.revision import FailedRevision, Revision

EXITED, CREATED, RUNNING = ContainerState.EXITED, ContainerState.CREATED, ContainerState.RUNNING
OLD = app("web", container("web", health=CHECK))
NEW = app("web", container("web", image="localhost/test:2", health=CHECK))
BARE = app("web", container("web", image="localhost/test:2"))
REMOTE = "registry.example/web:1"
JOB = app(
    "web",
    container("web", image="localhost/test:2", depends_on=(("up", StartCondition.COMPLETED),)),
    container("web", "up", restart=Restart.NO),
)
LATE = NOW + timedelta(seconds=121)
GOOD = {"web": Revision(OLD)}


def stopped(spec=OLD, **more):
    """What ran before the update, as it is kept."""
    kept = seen(spec, state=EXITED, exit_code=143, ref="kept")
    return replace(kept, process_start=0.0, **more)


def new(spec=NEW, name="main", state=RUNNING, **more):
    """A container of the update, made now."""
    return replace(seen(spec, name, state, started_at=NOW, created_at=NOW), **more)


def updating(*containers, want=NEW, now=NOW, attempts=None, evidence=None, **more) -> Situation:
    tried = {"web": replace(attempts, digest=want.digest)} if attempts else {}
    return situation(
        desired(want, *more.pop("others", ())),
        observed(*containers),
        now=now,
        attempts=tried,
        evidence=evidence or Evidence(good=GOOD, free_bytes=2**40),
        **more,
    )


ILL = answered(new(), ok=False, failures=3, message="answers 503")
SLOW = answered(new(), ok=False, failures=1, message="answers 503")


@dataclass
class Row:
    why: str
    given: Situation
    want: str  # why it failed; empty: it may still get ready


ROWS = [
    Row("before its deadline it may still get well", updating(stopped(), new(), probes=ILL), ""),
    Row(
        "what is not well at its deadline has failed",
        updating(stopped(), new(), probes=ILL, now=LATE),
        "main is unhealthy: answers 503",
    ),
    Row(
        "what was never well at its deadline has failed",
        updating(stopped(), new(), probes=SLOW, now=LATE),
        "main did not become healthy in time: answers 503",
    ),
    Row(
        "what was not asked yet may well be well",
        updating(stopped(), new(), now=LATE),
        "",
    ),
    Row(
        "and so may what was asked before it was started anew",
        updating(
            stopped(),
            new(),
            probes=answered(new(started_at=NOW - timedelta(1)), ok=False, failures=9),
            now=LATE,
        ),
        "",
    ),
    Row(
        "and what has not answered yet",
        updating(
            stopped(),
            new(),
            probes={"id-web-main": ProbeRecord("id-web-main", NOW)},
            now=LATE,
        ),
        "",
    ),
    Row(
        "the deadline is the manifest's",
        updating(
            stopped(),
            new(),
            probes=ILL,
            want=replace(NEW, health_deadline=9.0),
            now=NOW + timedelta(seconds=9),
        ),
        "main is unhealthy: answers 503",
    ),
    Row(
        "what was only just started has as long again: the machine may have been off",
        updating(stopped(), new(started_at=LATE), now=LATE),
        "",
    ),
    Row(
        "but not what was started once more for being unwell",
        updating(
            stopped(),
            new(started_at=LATE),
            now=LATE,
            probes=answered(new(started_at=LATE), ok=False, failures=1, message="answers 503"),
            attempts=Attempts(starts=2, by_container=(("main", 2),)),
        ),
        "main did not become healthy in time: answers 503",
    ),
    Row(
        "nor what was started late and before the deadline",
        updating(
            stopped(),
            new(started_at=NOW + timedelta(seconds=100)),
            now=LATE,
            probes=answered(
                new(started_at=NOW + timedelta(seconds=100)), ok=False, failures=1, message="no"
            ),
        ),
        "main did not become healthy in time: no",
    ),
    Row(
        "an edit of the file begins the deadline anew",
        updating(
            stopped(), new(), probes=ILL, want=replace(NEW, manifest_changed_at=LATE), now=LATE
        ),
        "",
    ),
    Row(
        "an edit in the future counts from now",
        updating(
            stopped(),
            new(),
            probes=ILL,
            want=replace(NEW, manifest_changed_at=NOW + timedelta(days=9)),
            now=LATE,
        ),
        "",
    ),
    Row(
        "a word of the operator begins it anew as well",
        updating(
            stopped(),
            new(),
            probes=ILL,
            now=LATE,
            evidence=Evidence(good=GOOD, retried={"web": LATE}),
        ),
        "",
    ),
    Row("what serves has not failed", updating(stopped(), new(), probes=answered(new())), ""),
    Row(
        "what keeps ending has failed, long before its deadline",
        updating(stopped(), new(state=EXITED, exit_code=7), attempts=Attempts(starts=5)),
        "main ended with exit code 7",
    ),
    Row(
        "and tells what it printed last",
        updating(
            stopped(),
            new(state=EXITED, exit_code=7),
            attempts=Attempts(starts=5),
            last_words={"id-web-main": "; it printed last: no key"},
        ),
        "main ended with exit code 7; it printed last: no key",
    ),
    Row(
        "what ended a few times may stay next time",
        updating(stopped(), new(state=EXITED, exit_code=7), attempts=Attempts(starts=4)),
        "",
    ),
    Row(
        "but not past its deadline",
        updating(stopped(), new(state=EXITED, exit_code=7), attempts=Attempts(starts=1), now=LATE),
        "main ended with exit code 7",
    ),
    Row(
        "what this life of the loop has not started yet is started first",
        updating(stopped(), new(state=EXITED, exit_code=137), now=LATE),
        "",
    ),
    Row(
        "attempts of another revision say nothing",
        replace(
            updating(stopped(), new(state=EXITED, exit_code=7)),
            attempts={"web": Attempts("1-other", starts=9)},
        ),
        "",
    ),
    Row(
        "one refused start may have been bad luck",
        updating(stopped(), new(state=CREATED), attempts=Attempts(failures=1, message="no")),
        "",
    ),
    Row(
        "a second one has failed",
        updating(stopped(), new(state=CREATED), attempts=Attempts(failures=2, message="no")),
        "no",
    ),
    Row(
        "what was refused while it runs has not failed for that",
        updating(stopped(), new(), attempts=Attempts(failures=2, message="no")),
        "",
    ),
    Row(
        "while the one before runs nothing is lost, so nothing has failed",
        updating(
            seen(OLD, ref="kept"),
            new(state=CREATED),
            attempts=Attempts(failures=9, message="no"),
            now=LATE,
        ),
        "",
    ),
    Row(
        "what could not even be made leaves the one before running, and has not failed",
        updating(seen(OLD, ref="kept"), attempts=Attempts(failures=9, message="no"), now=LATE),
        "",
    ),
    Row(
        "what is not made yet has not failed",
        updating(stopped(), attempts=Attempts(failures=9, message="no"), now=LATE),
        "",
    ),
    Row(
        "a job that failed has, as soon as it is known what it printed",
        updating(
            stopped(),
            new(JOB, state=CREATED),
            new(JOB, "up", EXITED, exit_code=3),
            want=JOB,
            last_words={"id-web-up": ""},
        ),
        "up ended with exit code 3",
    ),
    Row(
        "and not before",
        updating(
            stopped(), new(JOB, state=CREATED), new(JOB, "up", EXITED, exit_code=3), want=JOB
        ),
        "",
    ),
    Row(
        "what comes back from before was made long ago: it counts from when the other one ended",
        updating(
            stopped(finished_at=LATE),
            new(),
            probes=ILL,
            now=LATE,
        ),
        "",
    ),
    Row(
        "what ended long ago, and waits to be started again, is not to blame",
        updating(
            stopped(),
            new(JOB, state=EXITED, exit_code=143),
            new(JOB, "up"),
            want=JOB,
            attempts=Attempts(starts=9, by_container=(("up", 9),)),
            now=LATE,
        ),
        "",
    ),
    Row(
        "a suspended app fails nothing",
        updating(stopped(), new(), probes=ILL, want=replace(NEW, suspended=True), now=LATE),
        "",
    ),
    Row(
        "what the operator left alone fails nothing",
        updating(stopped(), new(), probes=ILL, want=replace(NEW, left_alone=True), now=LATE),
        "",
    ),
    Row(
        "who does not want to go back stays",
        updating(stopped(), new(), probes=ILL, want=replace(NEW, rollback=False), now=LATE),
        "",
    ),
    Row(
        "what this version cannot carry out is held as it is",
        updating(stopped(), new(), probes=ILL, want=replace(NEW, unsupported=("a",)), now=LATE),
        "",
    ),
    Row(
        "an app that was never good has nothing to go back to",
        updating(stopped(), new(), probes=ILL, now=LATE, evidence=Evidence()),
        "",
    ),
    Row(
        "the good revision itself is never given up",
        updating(
            stopped(), new(), probes=ILL, now=LATE, evidence=Evidence(good={"web": Revision(NEW)})
        ),
        "",
    ),
    Row("an app of which nothing is there is installed", updating(now=LATE), ""),
    Row(
        "nobody desires it any more",
        replace(updating(stopped(), new(), probes=ILL, now=LATE), desired=Desired()),
        "",
    ),
    Row(
        "an edit of a check that makes no container is judged as well",
        updating(
            replace(new(OLD), created_at=NOW),
            want=app("web", container("web", health=replace(CHECK, path="/typo"))),
            probes=answered(new(OLD), ok=False, failures=3, message="answers 404"),
            now=LATE,
        ),
        "main is unhealthy: answers 404",
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.why)
def test_an_update_has_failed(row):
    found = judged(row.given)
    assert {app_: what.why for app_, what in found.items()} == (
        {"web": row.want} if row.want else {}
    )


def needing(spec):
    return app("web", *spec.containers, requires=("db",))


@pytest.mark.parametrize(
    ("why", "others", "containers", "failed"),
    [
        ("it is there and ready", (app("db"),), running(app("db")), True),
        ("it is there and not ready", (app("db"),), (seen(app("db"), state=EXITED),), False),
        ("it is suspended", (replace(app("db"), suspended=True),), running(app("db")), False),
        ("nobody desires it, and it runs", (), running(app("db")), True),
        ("it is nowhere", (), (), False),
    ],
)
def test_nothing_is_judged_while_what_it_needs_is_not_ready(why, others, containers, failed):
    want, before = needing(NEW), needing(OLD)
    it = new(want)
    given = updating(
        stopped(before),
        it,
        *containers,
        want=want,
        others=others,
        probes=answered(it, ok=False, failures=3, message="answers 503"),
        now=LATE,
        evidence=Evidence(good={"web": Revision(before)}),
    )
    assert bool(judged(given)) is failed, why


def test_of_an_app_that_is_busy_nobody_knows():
    given = updating(stopped(), new(), probes=ILL, now=LATE)
    assert judged(given, busy=("web",)) == {}
    assert judged(given, busy=("db",))


# What stands in


FAILED = FailedRevision(digest.content(NEW), (("main", ""),), "main is unhealthy: answers 503")


def failed(what=FAILED, **more):
    return Evidence(good=GOOD, failed={"web": (what,)}, free_bytes=2**40, **more)


def test_the_last_good_revision_stands_in_for_one_that_failed():
    wanted = replace(NEW, version="2.0", manifest_changed_at=NOW, requested=False)
    spec = effective(desired(wanted), failed()).apps["web"]
    assert spec.containers == OLD.containers
    alone = replace(wanted, left_alone=True, suspended_until=NOW)
    told_ = effective(desired(alone), failed()).apps["web"]
    assert (told_.left_alone, told_.suspended_until) == (True, NOW)
    assert (spec.manifest_changed_at, spec.requested, spec.suspended) == (NOW, False, False)
    assert spec.rolled_back == (
        f"the update to 2.0, revision {digest.short(NEW.digest)} failed and was rolled back:"
        " main is unhealthy: answers 503; edit the manifest, or say `archipelago retry web`"
    )


@pytest.mark.parametrize(
    ("why", "want", "evidence"),
    [
        ("another content", replace(NEW, health_deadline=9.0), failed()),
        ("what is good", OLD, failed()),
        ("no rollback", replace(NEW, rollback=False), failed()),
        ("what was retried", NEW, Evidence(good=GOOD)),
        ("nothing good", NEW, Evidence(failed={"web": (FAILED,)})),
    ],
)
def test_nothing_stands_in_for(why, want, evidence):
    assert effective(desired(want), evidence) == desired(want), why


def pinned(image, **more):
    return FailedRevision(digest.content(with_tag()), (("main", image),), "why")


def with_tag():
    return app("web", container("web", image=REMOTE, health=CHECK))


@pytest.mark.parametrize(
    ("why", "pins", "stands_in"),
    [
        ("the image that failed", {("web", "main"): Pin(REMOTE, "sha256:bad")}, True),
        ("another image", {("web", "main"): Pin(REMOTE, "sha256:new")}, False),
        ("an image that nobody remembers", {}, True),
        ("a pin of another reference", {("web", "main"): Pin("registry.example/x:1", "a")}, True),
    ],
)
def test_a_failure_is_remembered_by_its_image_too(why, pins, stands_in):
    found = effective(desired(with_tag()), failed(pinned("sha256:bad"), pins=pins)).apps["web"]
    assert bool(found.rolled_back) is stands_in, why
    assert "image bad" in found.rolled_back or not stands_in


def test_failures_add_up():
    first = with_failed(Evidence(), {"web": FAILED})
    second = with_failed(first, {"web": replace(FAILED, content="x")})
    assert [f.content for f in second.failed["web"]] == [FAILED.content, "x"]
    assert with_failed(first, {}) is first


def back(*containers, **more):
    """The situation after the failure was written down."""
    given = updating(*containers, evidence=failed(), **more)
    return replace(given, desired=effective(given.desired, given.evidence))


PLANS = [
    (
        "the failed one is stopped and the one before started",
        back(stopped(), new()),
        ("web", "rollback", "RolledBack"),
        ["StopContainer id-web-main", "StartContainer kept"],
    ),
    (
        "what was removed by hand is made again",
        back(new()),
        ("web", "rollback", "RolledBack"),
        [
            "PrepareImage main",
            "EnsureNetwork",
            "EnsureVolume",
            "CreateContainer main",
            "StopContainer id-web-main",
            f"StartContainer {OLD.containers[0].container_name}",
        ],
    ),
    (
        "the failed one goes as soon as the one before serves",
        back(seen(OLD, ref="kept"), new(state=EXITED), probes=answered(seen(OLD, ref="kept"))),
        ("web", "rollback", "RolledBack"),
        ["RemoveContainer id-web-main"],
    ),
    (
        "then nothing is done",
        back(seen(OLD, ref="kept"), probes=answered(seen(OLD, ref="kept"))),
        ("web", "keep", "RolledBack"),
        [],
    ),
    (
        "what stands in is repaired like anything",
        back(stopped()),
        ("web", "start", "NotRunning"),
        ["StartContainer kept"],
    ),
    (
        "and stopped with the app",
        back(stopped(), new(), want=replace(NEW, suspended=True)),
        ("web", "stop", "Suspended"),
        ["StopContainer id-web-main"],
    ),
]


@pytest.mark.parametrize(("why", "given", "want", "steps"), PLANS, ids=[p[0] for p in PLANS])
def test_the_way_back(why, given, want, steps):
    made = plan(given)
    assert told(made) == [want]
    assert steps_of(made, "web") == steps


def test_a_lane_on_the_way_back_is_not_ended_by_itself_but_by_a_newer_edit():
    change = Change("web", Action.ROLLBACK, Reason.ROLLED_BACK, digest=OLD.digest)
    assert still_wanted(change, effective(desired(NEW), failed()))
    assert not still_wanted(change, effective(desired(BARE), failed()))


# What is kept


def serving(*containers, **more):
    probes = answered(*(c for c in containers if c.state is RUNNING))
    return updating(*containers, probes=probes, **more)


def test_the_one_before_is_kept_while_the_new_one_serves():
    made = plan(serving(stopped(), new()))
    assert told(made) == [("web", "keep", "PreviousKept")]
    assert made.look_again_at == NOW + timedelta(seconds=60)


def test_what_is_neither_good_nor_new_goes_at_once():
    between = replace(new(BARE, state=EXITED), ref="between")
    assert steps_of(plan(serving(stopped(), between, new())), "web") == ["RemoveContainer between"]


@pytest.mark.parametrize(
    ("why", "evidence", "want"),
    [
        ("nothing good is known", Evidence(), NEW),
        ("the new one is good", Evidence(good={"web": Revision(NEW)}), NEW),
        ("nobody wants to go back", Evidence(good=GOOD), replace(NEW, rollback=False)),
    ],
)
def test_the_one_before_is_removed_when(why, evidence, want):
    made = plan(serving(stopped(), new(), evidence=evidence, want=want))
    assert told(made) == [("web", "update", "PreviousSuperseded")], why


def remembered(given):
    return {
        app_: revision and (revision.spec.digest == NEW.digest, revision.proven)
        for app_, revision in to_remember(given, compare_all(given)).items()
    }


SERVED = NOW + timedelta(seconds=60)
SINCE = {"web": NOW}


@pytest.mark.parametrize(
    ("why", "given", "want"),
    [
        (
            "one that has served for its window is good",
            {"now": SERVED, "ready_since": SINCE},
            True,
        ),
        ("a moment before it is not", {"now": SERVED - timedelta(1e-5)}, None),
        (
            "it counts from what the status told",
            {"now": SERVED, "ready_since": {"web": NOW + timedelta(seconds=1)}},
            None,
        ),
        ("the window is the operator's", {"now": NOW, "window": timedelta(0)}, True),
    ],
)
def test_what_was_good_for_its_window(why, given, want):
    found = remembered(serving(stopped(), new(), **given))
    assert found == ({"web": (True, want)} if want else {}), why


def test_until_something_was_good_the_first_that_served_stands_in():
    none = Evidence()
    assert remembered(serving(new(), evidence=none)) == {"web": (True, False)}
    known = Evidence(good={"web": Revision(NEW, proven=False)})
    assert remembered(serving(new(), evidence=known)) == {}
    other = Evidence(good={"web": Revision(OLD, proven=False)})
    assert remembered(serving(new(), evidence=other)) == {}
    proven = {"now": SERVED, "ready_since": SINCE}
    assert remembered(serving(new(), evidence=known, **proven)) == {"web": (True, True)}
    assert remembered(serving(new(), evidence=other, **proven)) == {"web": (True, True)}


def test_what_served_for_a_moment_and_does_not_last_is_not_gone_back_to():
    known = Evidence(good={"web": Revision(NEW, proven=False)})
    ended = new(state=EXITED, exit_code=1)
    assert remembered(updating(ended, evidence=known, attempts=Attempts(starts=2))) == {}
    assert remembered(updating(ended, evidence=known, attempts=Attempts(starts=3))) == {
        "web": None
    }
    lasting = Evidence(good={"web": Revision(NEW)})
    assert remembered(updating(ended, evidence=lasting, attempts=Attempts(starts=9))) == {}
    assert remembered(serving(new(), evidence=Evidence(), attempts=Attempts(starts=3))) == {}


@pytest.mark.parametrize(
    "want", [replace(NEW, suspended=True), replace(NEW, rolled_back="why")], ids=["off", "back"]
)
def test_what_is_suspended_or_stands_in_is_not_called_good(want):
    given = serving(new(), want=want, now=SERVED, ready_since=SINCE, evidence=Evidence())
    assert remembered(given) == {}


def test_an_app_that_is_gone_is_forgotten_but_not_one_that_cannot_be_read():
    evidence = Evidence(good=GOOD, failed={"db": (FAILED,)})
    gone = situation(desired(app("keep")), observed(), evidence=evidence)
    assert remembered(gone) == {"db": None, "web": None}
    kept = replace(gone, desired=replace(gone.desired, complete=False))
    assert remembered(kept) == {}
    left = replace(gone, observed=observed(stopped()))
    assert remembered(left) == {"db": None}


def test_what_is_good_is_written_down_with_its_images_and_without_its_day():
    spec = replace(with_tag(), manifest_changed_at=NOW, requested=False)
    it = replace(new(spec), image=REMOTE, image_digest="sha256:a")
    given = serving(it, want=spec, now=SERVED, ready_since=SINCE, evidence=Evidence())
    kept = to_remember(given, compare_all(given))["web"].spec
    assert [c.pin for c in kept.containers] == ["sha256:a"]
    assert (kept.manifest_changed_at, kept.requested, kept.stale) == (None, True, None)
    again = replace(given, evidence=Evidence(good={"web": Revision(kept)}))
    assert to_remember(again, compare_all(again)) == {}


def test_an_image_of_the_same_name_is_another_revision():
    spec = with_tag()
    good = replace(spec, containers=tuple(replace(c, pin="sha256:a") for c in spec.containers))
    evidence = Evidence(
        good={"web": Revision(good)}, pins={("web", "main"): Pin(REMOTE, "sha256:b")}
    )
    before = stopped(spec, image=REMOTE, image_digest="sha256:a")
    it = replace(new(spec), image=REMOTE, image_digest="sha256:b")
    ill = answered(it, ok=False, failures=3, message="answers 503")
    given = updating(before, it, want=spec, evidence=evidence, probes=ill, now=LATE)
    found = judged(given)
    assert found["web"].images == (("main", "sha256:b"),)
    after = with_failed(evidence, found)
    gone_back = replace(given, evidence=after, desired=effective(given.desired, after))
    assert steps_of(plan(gone_back), "web") == ["StopContainer id-web-main", "StartContainer kept"]


def test_no_revision_serves_before_its_containers_were_started():
    given = serving(new(started_at=LATE), ready_since=SINCE, now=LATE)
    assert serving_since(given, compare_all(given)["web"]) == LATE


# Words


@pytest.mark.parametrize(
    ("why", "evidence", "want", "reason"),
    [
        ("there is a way back", Evidence(good=GOOD), NEW, "Starting"),
        ("nothing was good", Evidence(), NEW, "HealthDeadline"),
        ("none is wanted", Evidence(good=GOOD), replace(NEW, rollback=False), "HealthDeadline"),
    ],
)
def test_past_its_deadline_a_person_has_to_act_where_nobody_else_does(why, evidence, want, reason):
    made = plan(updating(stopped(), new(), evidence=evidence, want=want, now=LATE))
    assert told(made) == [("web", "keep", reason)], why


def test_what_is_tried_past_the_deadline_is_told_in_the_same_words():
    """Started anew and waited for, again and again: one thing to be told."""
    tried = updating(stopped(), new(), probes=ILL, want=replace(NEW, rollback=False), now=LATE)
    made = plan(tried)
    assert told(made) == [("web", "restart", "HealthDeadline")]
    attempts = Attempts(NEW.digest, starts=3, since=LATE)
    waiting = plan(replace(tried, attempts={"web": attempts}))
    assert told(waiting) == [("web", "hold", "HealthDeadline")]
    assert waiting.of("web").message == made.of("web").message


def test_the_deadline_is_a_moment_to_look_again():
    made = plan(updating(stopped(), new(), probes=SLOW))
    assert made.look_again_at == NOW + timedelta(seconds=120)
    again = plan(updating(stopped(), new(started_at=LATE), probes=SLOW, now=LATE))
    assert again.look_again_at == LATE + timedelta(seconds=120)


OFTEN = Attempts(failures=5, since=NOW, message="no")


@pytest.mark.parametrize(
    ("why", "containers", "evidence", "reason"),
    [
        ("an update that can go back", (stopped(), new(state=CREATED)), GOOD, "BackOff"),
        ("nothing to go back to", (stopped(), new(state=CREATED)), {}, "Failed"),
        ("the one before runs on", (seen(OLD, ref="kept"), new(state=CREATED)), GOOD, "Failed"),
        ("it cannot even be made", (seen(OLD, ref="kept"),), GOOD, "Failed"),
        ("the good one itself", (stopped(),), {"web": Revision(NEW)}, "Failed"),
    ],
)
def test_what_fails_again_and_again_is_for_a_person_unless_it_goes_back(
    why, containers, evidence, reason
):
    known = Evidence(good=evidence, free_bytes=2**40)
    made = plan(updating(*containers, evidence=known, attempts=OFTEN))
    assert told(made) == [("web", "hold", reason)], why
