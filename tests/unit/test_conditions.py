"""What is told of an app: three answers, their words, and when they change."""

from datetime import timedelta
from itertools import pairwise

import pytest
from builders import (
    CHECK,
    NOW,
    answered,
    app,
    container,
    desired,
    observed,
    old,
    problem,
    running,
    seen,
    situation,
)
from msgspec.structs import replace
from simulation import Simulation

from reconciler.core.conditions import Reported, app_statuses
from reconciler.core.planner import compare_all, plan
from reconciler.core.settling import all_ready, settled
from reconciler.model.change import Action, Change, Outcome, Reason, Result
from reconciler.model.container import Restart
from reconciler.model.evidence import Evidence
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState
from reconciler.model.status import ConditionType, PassStatus, Status
from reconciler.model.trust import Scope, Trust, TrustedKey

WEB = app("web")
SHOP = app("shop", requires=("db",))
CHECKED = app("web", container("web", health=CHECK))
JOB = app("job", container("job", restart=Restart.NO))
STALE = replace(WEB, stale=problem("web.yml"))
SIGNED = app("web", container("web", image="r.example/web:1", pin="sha256:" + "a" * 64))
NOBODY = Trust()
SOMEBODY = Trust(
    keys=(TrustedKey("alice", "id", "pem"),), scopes=(Scope("r.example", any_of=("alice",)),)
)
NO, YES = False, True


def status(given, previous=None, *, lanes=None, progress=None, last=None, error=""):
    """The status after a pass over a situation."""
    reported = Reported(plan(given), compare_all(given), lanes or {}, progress or {}, last or {})
    passed = PassStatus(1, 0.0, given.now, error)
    return Status(app_statuses(given, reported, previous), passed, given.desired.problems)


def answers(told):
    """Ready, Reconciling and Stalled as (status, reason)."""
    return tuple((c.status, c.reason) for c in told.conditions)


ROWS = [
    (
        "what serves is ready, and nothing else is to be said",
        situation(desired(WEB), observed(*running(WEB))),
        ((YES, "Serving"), (NO, "Settled"), (NO, "Fine")),
    ),
    (
        "what is to be installed is not ready yet",
        situation(desired(WEB)),
        ((NO, "NotInstalled"), (YES, "NotInstalled"), (NO, "Fine")),
    ),
    (
        "the revision before goes on serving during an update",
        situation(desired(WEB), observed(old(WEB))),
        ((YES, "Serving"), (YES, "DigestChanged"), (NO, "Fine")),
    ),
    (
        "a job of the revision before that ended well has served",
        situation(
            desired(JOB),
            observed(replace(old(JOB, state=ContainerState.EXITED), exit_code=0)),
        ),
        ((YES, "Serving"), (YES, "DigestChanged"), (NO, "Fine")),
    ),
    (
        "what starts is on its way",
        situation(desired(CHECKED), observed(*running(CHECKED))),
        ((NO, "Starting"), (YES, "Starting"), (NO, "Fine")),
    ),
    (
        "what is ending is on its way",
        situation(desired(WEB), observed(seen(WEB, state=ContainerState.ENDING))),
        ((NO, "Ending"), (YES, "Ending"), (NO, "Fine")),
    ),
    (
        "what is not well is repaired, and nobody has to act yet",
        situation(
            desired(CHECKED),
            observed(*running(CHECKED)),
            probes=answered(*running(CHECKED), failures=3, message="answers 503"),
        ),
        ((NO, "Unhealthy"), (YES, "Unhealthy"), (NO, "Fine")),
    ),
    (
        "a first failure is tried again, and nobody has to act yet",
        situation(
            desired(WEB),
            attempts={"web": Attempts(WEB.digest, failures=1, since=NOW, message="no image")},
        ),
        ((NO, "BackOff"), (YES, "BackOff"), (NO, "Fine")),
    ),
    (
        "what failed often is still tried, and a person has to act",
        situation(
            desired(WEB),
            attempts={"web": Attempts(WEB.digest, failures=5, since=NOW, message="no image")},
        ),
        ((NO, "Failed"), (YES, "Failed"), (YES, "Failed")),
    ),
    (
        "what ends again and again is still tried, and a person has to act",
        situation(
            desired(WEB),
            observed(seen(WEB, state=ContainerState.EXITED, exit_code=1)),
            attempts={"web": Attempts(WEB.digest, starts=5, since=NOW)},
        ),
        ((NO, "CrashLoop"), (YES, "CrashLoop"), (YES, "CrashLoop")),
    ),
    (
        "a file that is broken now stops nothing, but a person has to act",
        situation(desired(STALE), observed(*running(WEB))),
        ((YES, "Serving"), (NO, "Settled"), (YES, "ManifestInvalid")),
    ),
    (
        "an app that was never readable does not serve",
        situation(desired(broken={"web": problem(app="web")})),
        ((NO, "ManifestInvalid"), (NO, "Settled"), (YES, "ManifestInvalid")),
    ),
    (
        "of an app without a spec, that it runs is all that is known",
        situation(desired(broken={"web": problem(app="web")}), observed(seen("web"))),
        ((YES, "Serving"), (NO, "Settled"), (YES, "ManifestInvalid")),
    ),
    (
        "of an app without a spec, one dead container is enough",
        situation(
            desired(broken={"web": problem(app="web")}),
            observed(seen("web"), seen("web", "db", ContainerState.EXITED, exit_code=1)),
        ),
        ((NO, "ManifestInvalid"), (NO, "Settled"), (YES, "ManifestInvalid")),
    ),
    (
        "a missing dependency is for a person",
        situation(desired(SHOP)),
        ((NO, "DependencyMissing"), (NO, "Settled"), (YES, "DependencyMissing")),
    ),
    (
        "a dependency that is not ready is only waited for",
        situation(desired(SHOP, broken={"db": problem(app="db")})),
        ((NO, "DependencyNotReady"), (YES, "DependencyNotReady"), (NO, "Fine")),
    ),
    (
        "a ring is for a person",
        situation(desired(app("shop", requires=("shop2",)), app("shop2", requires=("shop",)))),
        ((NO, "DependencyCycle"), (NO, "Settled"), (YES, "DependencyCycle")),
    ),
    (
        "a job that failed is for a person",
        situation(desired(JOB), observed(seen(JOB, state=ContainerState.EXITED, exit_code=3))),
        ((NO, "JobFailed"), (NO, "Settled"), (YES, "JobFailed")),
    ),
    (
        "what this version cannot do is for a person",
        situation(desired(replace(WEB, unsupported=("hooks",)))),
        ((NO, "NotSupported"), (NO, "Settled"), (YES, "NotSupported")),
    ),
    (
        "a full disk is for a person",
        situation(desired(replace(WEB, storage=2**50))),
        ((NO, "NotEnoughStorage"), (NO, "Settled"), (YES, "NotEnoughStorage")),
    ),
    (
        "an image that nobody has signed is for a person",
        situation(desired(SIGNED), evidence=Evidence(trust=NOBODY, free_bytes=2**40)),
        ((NO, "NotVerified"), (NO, "Settled"), (YES, "NotVerified")),
    ),
    (
        "signatures that are looked for come by themselves",
        situation(desired(SIGNED), evidence=Evidence(trust=SOMEBODY, free_bytes=2**40)),
        ((NO, "SignaturePending"), (YES, "SignaturePending"), (NO, "Fine")),
    ),
    (
        "a suspended app is stopped, as the operator said",
        situation(desired(replace(WEB, suspended=True)), observed(*running(WEB))),
        ((NO, "Suspended"), (YES, "Suspended"), (NO, "Fine")),
    ),
    (
        "and rests, which is nobody's business",
        situation(
            desired(replace(WEB, suspended=True)),
            observed(seen(WEB, state=ContainerState.EXITED, exit_code=0)),
        ),
        ((NO, "Suspended"), (NO, "Settled"), (NO, "Fine")),
    ),
    (
        "what others need still serves, and a person has to act",
        situation(
            desired(app("top", requires=("web",))),
            observed(*running(app("top", requires=("web",))), seen("web")),
        ),
        ((YES, "Serving"), (NO, "Settled"), (YES, "RequiredBy")),
    ),
    (
        "too much to remove at once is for a person",
        situation(desired(), observed(seen("web"))),
        ((YES, "Serving"), (NO, "Settled"), (YES, "MassRemoval")),
    ),
    (
        "a folder that cannot be read is for a person",
        situation(desired(complete=False, incomplete_because="cannot"), observed(seen("web"))),
        ((YES, "Serving"), (NO, "Settled"), (YES, "SourceUnreadable")),
    ),
    (
        "what goes after its dependants is on its way",
        situation(
            desired(app("k")),
            observed(*running(app("k")), seen("web"), seen("z", requires=("web",))),
        ),
        ((YES, "Serving"), (YES, "DependantsFirst"), (NO, "Fine")),
    ),
]


@pytest.mark.parametrize(("why", "given", "want"), ROWS, ids=[r[0] for r in ROWS])
def test_each_reason_has_its_three_answers(why, given, want):
    told = status(given)
    name = next(n for n in ("web", "shop", "job") if told.of(n))
    asked = {ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED}
    three = tuple(c for c in told.of(name).conditions if c.type in asked)
    assert answers(replace(told.of(name), conditions=three)) == want


def test_the_message_stands_where_the_answer_is_and_nowhere_else():
    given = situation(
        desired(WEB),
        attempts={"web": Attempts(WEB.digest, failures=5, since=NOW, message="no image")},
    )
    assert [c.message for c in status(given).of("web").conditions] == ["no image"] * 3
    fine = situation(desired(WEB), observed(*running(WEB)))
    assert [c.message for c in status(fine).of("web").conditions[:3]] == [""] * 3


def test_only_another_answer_moves_the_time():
    later, latest = NOW + timedelta(seconds=5), NOW + timedelta(seconds=9)
    first = status(situation(desired(WEB), observed(*running(WEB))))
    second = status(situation(desired(WEB), observed(*running(WEB)), now=later), first)
    assert [c.last_transition for c in second.of("web").conditions] == [NOW] * 5
    ended = seen(WEB, state=ContainerState.EXITED, exit_code=1)
    third = status(situation(desired(WEB), observed(ended), now=latest), second)
    times = {c.type: c.last_transition for c in third.of("web").conditions}
    assert times == {
        ConditionType.READY: latest,
        ConditionType.RECONCILING: latest,
        ConditionType.STALLED: NOW,
        ConditionType.NETWORK_ISOLATED: NOW,
        ConditionType.CONFINED: NOW,
    }


def test_what_an_app_reaches_is_told_once_it_ran():
    not_yet = status(situation(desired(WEB)))
    assert not_yet.of("web").condition(ConditionType.NETWORK_ISOLATED) is None
    first = status(situation(desired(WEB), observed(*running(WEB))))
    assert first.of("web").condition(ConditionType.NETWORK_ISOLATED).reason == "NotProbed"
    alone = replace(WEB, network=None)
    none = status(situation(desired(alone), observed(*running(alone))), first)
    assert none.of("web").condition(ConditionType.NETWORK_ISOLATED) is None


def test_another_reason_for_the_same_answer_moves_no_time():
    later = NOW + timedelta(seconds=5)
    first = status(situation(desired(WEB)))
    second = status(
        situation(desired(WEB), observed(seen(WEB, state=ContainerState.CREATED)), now=later),
        first,
    )
    condition = second.of("web").condition(ConditionType.READY)
    assert (condition.reason, condition.last_transition) == ("NotRunning", NOW)


def test_one_more_try_of_what_keeps_failing_is_no_reason_to_hope():
    """Held, tried, held, tried: a person who looks at any moment reads the same."""
    attempts = {"web": Attempts(WEB.digest, failures=5, since=NOW, message="no image")}
    held = status(situation(desired(WEB), attempts=attempts))
    much_later = NOW + timedelta(hours=1)
    trying = status(situation(desired(WEB), attempts=attempts, now=much_later), held)
    assert trying.of("web").action is Action.INSTALL
    stalled = trying.of("web").condition(ConditionType.STALLED)
    assert (stalled.status, stalled.reason, stalled.message) == (True, "Failed", "no image")
    assert stalled.last_transition == NOW


@pytest.mark.parametrize(
    ("why", "digest", "attempts"),
    [
        ("another revision", "1-other", Attempts(WEB.digest, failures=5, since=NOW)),
        ("it succeeded meanwhile", WEB.digest, Attempts(WEB.digest, since=NOW)),
    ],
)
def test_there_is_hope_again_after(why, digest, attempts):
    before = {"web": Attempts(WEB.digest, failures=5, since=NOW, message="no image")}
    held = status(situation(desired(WEB), attempts=before))
    wanted = replace(WEB, digest=digest)
    later = NOW + timedelta(hours=1)
    told = status(situation(desired(wanted), attempts={"web": attempts}, now=later), held)
    assert not told.of("web").condition(ConditionType.STALLED).status, why


def test_many_failures_that_nobody_was_told_of_yet_are_not_stalled_while_trying():
    attempts = {"web": Attempts(WEB.digest, failures=5, since=NOW - timedelta(hours=1))}
    told = status(situation(desired(WEB), attempts=attempts))
    assert answers(told.of("web"))[2] == (False, "Fine")


def test_a_mistake_that_was_mended_is_not_told_any_more_while_trying():
    """It kept failing, then its file was broken, and then mended again."""
    attempts = {"web": Attempts(WEB.digest, failures=5, since=NOW, message="no image")}
    broken = status(situation(desired(STALE), observed(old(WEB)), attempts=attempts))
    assert answers(broken.of("web"))[2] == (True, "ManifestInvalid")
    later = NOW + timedelta(hours=1)
    mended = situation(desired(WEB), observed(old(WEB)), attempts=attempts, now=later)
    assert "ManifestInvalid" not in str(answers(status(mended, broken).of("web")))


def test_in_a_whole_life_of_failing_the_answer_changes_once():
    box = Simulation()
    box.folder.write("bad", image="localhost/nowhere:1")
    box.run(passes=400, seconds=0.7)
    stalled = [s.of("bad").condition(ConditionType.STALLED) for s in box.diary.statuses]
    flips = sum(a.status != b.status for a, b in pairwise(stalled))
    assert (stalled[0].status, stalled[-1].status, flips) == (False, True, 1)
    assert len({c.message for c in stalled if c.status}) == 1
    assert len({c.last_transition for c in stalled if c.status}) == 1


# The fourth question, of those with a limit

MIB = 2**20
LIMITED = app("web", disk_limit=100 * MIB)
UNKNOWN = (NO, "NotMeasured", "what its volumes hold is not known")
WITHIN = (YES, "WithinLimit", "")
OVER = (NO, "DiskLimitExceeded", "its volumes hold more than its disk limit of 100 MiB")
NOT_YET = object()


def measured(*figures, spec=LIMITED):
    """The status after a pass for each figure: bytes, None, or NOT_YET."""
    told, found = None, observed(*running(spec))
    for number, figure in enumerate(figures):
        usage = {} if figure is NOT_YET else {"web": figure}
        now = NOW + timedelta(minutes=number)
        told = status(situation(desired(spec), found, usage=usage, now=now), told)
    return told


def within(told):
    condition = told.of("web").condition(ConditionType.WITHIN_DISK_LIMIT)
    return (condition.status, condition.reason, condition.message)


@pytest.mark.parametrize(
    ("why", "figures", "want"),
    [
        ("nobody measured yet", [NOT_YET], UNKNOWN),
        ("it cannot be measured: that is no permission", [None], UNKNOWN),
        ("less", [99 * MIB], WITHIN),
        ("nothing at all is a figure too", [0], WITHIN),
        ("exactly as much as it may", [100 * MIB], WITHIN),
        ("one byte more", [100 * MIB + 1], OVER),
        ("over, and the same again", [101 * MIB, 101 * MIB], OVER),
        ("over, and then not clearly below", [101 * MIB, 96 * MIB], OVER),
        ("over, and then at the mark itself", [101 * MIB, 95 * MIB], OVER),
        ("over, and then clearly below", [101 * MIB, 95 * MIB - 1], WITHIN),
        ("below the mark it is calm, and may go up to the limit", [101, 0, 99 * MIB], WITHIN),
        ("and over again", [101 * MIB, 0, 96 * MIB, 101 * MIB], OVER),
        ("over, and nobody can say how it is now", [101 * MIB, None], OVER),
        ("over, unknown, not clearly below", [101 * MIB, None, 96 * MIB], OVER),
        ("within, and nobody can say how it is now", [MIB, None], UNKNOWN),
        ("a new loop has not measured yet: over", [101 * MIB, NOT_YET], OVER),
        ("a new loop has not measured yet: within", [MIB, NOT_YET], WITHIN),
        ("a new loop has not measured yet: unknown", [None, NOT_YET], UNKNOWN),
    ],
)
def test_an_app_is_within_its_disk_limit(why, figures, want):
    assert within(measured(*figures)) == want, why


def test_over_its_limit_an_app_serves_and_nobody_is_called():
    told = measured(101 * MIB)
    assert answers(told.of("web"))[:3] == ((YES, "Serving"), (NO, "Settled"), (NO, "Fine"))
    assert told.of("web").action is Action.KEEP
    assert told.of("web").over_disk_limit
    assert settled(told)
    assert all_ready(told)


@pytest.mark.parametrize(
    ("why", "used", "want"),
    [
        ("another limit is another question", 105 * MIB, WITHIN),
        ("and may be answered alike", 111 * MIB, (NO, "DiskLimitExceeded", "of 110 MiB")),
        ("what was told of the old one is not known of the new one", NOT_YET, UNKNOWN),
    ],
)
def test_a_raised_limit_is_what_counts(why, used, want):
    before = measured(101 * MIB)
    raised = situation(
        desired(app("web", disk_limit=110 * MIB)),
        observed(*running(LIMITED)),
        usage={} if used is NOT_YET else {"web": used},
    )
    found = within(status(raised, before))
    assert found[:2] == want[:2], why
    assert found[2].endswith(want[2])


def test_a_figure_that_wavers_about_the_limit_moves_the_answer_once():
    figures = [90 * MIB, *(100 * MIB + n * MIB for n in (1, -1, 2, -4, 1, -3))]
    told = measured(*figures)
    condition = told.of("web").condition(ConditionType.WITHIN_DISK_LIMIT)
    assert (condition.reason, condition.last_transition) == (
        "DiskLimitExceeded",
        NOW + timedelta(minutes=1),
    )


def test_without_a_limit_nobody_asks_and_what_it_holds_is_told_all_the_same():
    told = measured(7 * MIB, spec=WEB).of("web")
    assert told.condition(ConditionType.WITHIN_DISK_LIMIT) is None
    assert (told.disk_bytes, told.disk_limit, told.over_disk_limit) == (7 * MIB, None, NO)


@pytest.mark.parametrize(
    ("why", "figures", "held"),
    [
        ("what is measured", [5, 6], 6),
        ("what was measured by the loop before", [5, NOT_YET], 5),
        ("what cannot be measured is not known", [5, None], None),
        ("nothing was ever measured", [NOT_YET], None),
    ],
)
def test_what_an_app_holds(why, figures, held):
    told = measured(*figures).of("web")
    assert (told.disk_bytes, told.disk_limit) == (held, 100 * MIB), why


def test_what_was_held_is_forgotten_with_the_volumes_and_not_with_the_manifest():
    before = measured(5)
    bare = situation(desired(replace(LIMITED, volumes=())), observed(*running(LIMITED)))
    assert status(bare, before).of("web").disk_bytes is None
    left = situation(desired(app("k")), observed(*running(app("k")), *running(LIMITED)))
    assert status(left, before).of("web").disk_bytes == 5
    kinds = [str(c.type) for c in status(left, before).of("web").conditions]
    assert kinds == ["Ready", "Reconciling", "Stalled", "Confined"]


# What is told beside the conditions


def test_a_change_under_way_is_told_instead_of_the_plan():
    given = situation(desired(WEB), observed(seen(WEB, state=ContainerState.CREATED)))
    change = Change("web", Action.INSTALL, Reason.NOT_INSTALLED, "", WEB.digest, ("step",))
    told = status(given, lanes={"web": change}, progress={"web": "fetching x"}).of("web")
    assert (told.action, told.reason, told.message) == ("install", "NotInstalled", "fetching x")
    assert answers(told)[1] == (True, "NotInstalled")


def test_the_last_change_is_told_and_survives_a_restart_of_the_loop():
    given = situation(desired(WEB), observed(*running(WEB)))
    change = Change("web", Action.START, Reason.NOT_RUNNING)
    ended = Outcome(change, Result.APPLIED, "", NOW, NOW + timedelta(seconds=1), 1)
    first = status(given, last={"web": ended})
    again = status(given, first)
    for told in (first, again):
        assert told.of("web").last_change == "start applied"
        assert told.of("web").last_change_at == ended.ended_at
    assert status(given).of("web").last_change == ""


def test_containers_are_told_with_their_health_and_the_app_has_the_worst():
    pair = app("web", container("web", "a", health=CHECK), container("web", "b", health=CHECK))
    a, b = running(pair)
    probes = answered(a) | answered(b, failures=3)
    told = status(situation(desired(pair), observed(a, b), probes=probes)).of("web")
    assert [(c.name, c.health, c.state) for c in told.containers] == [
        ("a", "healthy", "running"),
        ("b", "unhealthy", "running"),
    ]
    assert told.health == "unhealthy"


def test_the_health_of_an_outdated_container_is_nobodys_business():
    before, now = old(CHECKED), running(CHECKED)[0]
    probes = answered(before, failures=9) | answered(now)
    told = status(situation(desired(CHECKED), observed(before, now), probes=probes)).of("web")
    assert [c.health for c in told.containers] == ["none", "healthy"]


def test_what_an_app_requires_is_told_from_its_spec_or_from_its_labels():
    assert status(situation(desired(SHOP))).of("shop").requires == ("db",)
    orphan = situation(desired(WEB), observed(*running(WEB), seen("shop", requires=("db", "a"))))
    assert status(orphan).of("shop").requires == ("a", "db")


def test_of_an_app_without_a_spec_the_digest_is_that_of_its_containers():
    told = status(situation(desired(WEB), observed(*running(WEB), seen("gone")))).of("gone")
    assert (told.digest, told.version) == ("1-old", "")
    left = situation(desired(WEB), observed(*running(WEB), networks=("web", "gone")))
    assert status(left).of("gone").digest == ""


# Enough?

SERVING = situation(desired(WEB), observed(*running(WEB)))


@pytest.mark.parametrize(
    ("why", "told", "rests", "ready"),
    [
        ("all serve", status(SERVING), True, True),
        ("an empty box", status(situation(desired())), True, True),
        ("nobody answered", status(SERVING, error="cannot look"), False, False),
        ("something is to be done", status(situation(desired(WEB))), False, False),
        (
            "an update is under way",
            status(situation(desired(WEB), observed(old(WEB)))),
            False,
            True,
        ),
        (
            "a person must act",
            status(situation(desired(STALE), observed(*running(WEB)))),
            True,
            False,
        ),
        (
            "a problem of no app",
            status(situation(desired(WEB, problems=(problem(),)), observed(*running(WEB)))),
            True,
            False,
        ),
        (
            "one fails often, and is tried again later",
            status(
                situation(
                    desired(WEB), attempts={"web": Attempts(WEB.digest, failures=5, since=NOW)}
                )
            ),
            True,
            False,
        ),
    ],
)
def test_settled_is_that_nothing_more_happens_and_ready_that_all_is_well(why, told, rests, ready):
    assert settled(told) is rests, why
    assert all_ready(told) is ready, why


def test_a_suspended_app_rests():
    told = status(
        situation(
            desired(replace(WEB, suspended=True)),
            observed(seen(WEB, state=ContainerState.EXITED, exit_code=0)),
        )
    )
    assert settled(told)
