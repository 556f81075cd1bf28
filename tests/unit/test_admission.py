"""Whether an app may become what is written; the row's name is a sentence."""

from dataclasses import dataclass, field

import pytest
from builders import app, container, desired, observed, old, running, seen, situation, steps_of
from msgspec.structs import replace

from reconciler.core import admission
from reconciler.core.conditions import Reported, app_statuses
from reconciler.core.planner import compare_all, plan, still_wanted
from reconciler.core.settling import all_ready, settled
from reconciler.model.change import Action, Change, Reason
from reconciler.model.desired import Approval, Connection, Requirement
from reconciler.model.evidence import Evidence
from reconciler.model.isolation import Egress, IsolationSpec, Passage
from reconciler.model.observed import ContainerState, Observed
from reconciler.model.origin import Origin
from reconciler.model.permission import parse_permission
from reconciler.model.policy import NO_POLICY, Policy, Review, Revoked, Rule
from reconciler.model.revision import Revision
from reconciler.model.status import PassStatus, Status

EXITED = ContainerState.EXITED
PLAIN = app("web")
ADMIN = app("web", container("web", capabilities=("NET_ADMIN",)))
WIDE = app("web", container("web", capabilities=("NET_ADMIN", "SYS_TIME")))
NEVER = Policy("/p", (Rule("never", never_capabilities=("NET_ADMIN", "SYS_TIME")),))
STOPS = Policy("/p", revoked=Revoked.STOP)
UNREAD = Policy("/p", unreadable="cannot read the policy /p: permission denied")
ASK = "`archipelago approve web` shows it, and asks"


def approval(*texts, line=1):
    origin = Origin("web.approve.yml", line, 1)
    return Approval(tuple(parse_permission(t) for t in texts), origin)


def wants(spec, *approved, **more):
    said = {"web": (approval(*approved),)} if approved else {}
    return desired(spec, approvals=said, **more)


def known(good=None, policy=NO_POLICY):
    return Evidence(good={"web": Revision(good)} if good else {}, policy=policy)


def admitted(want, have=Observed(), evidence=Evidence()):
    """The situation as the loop plans it."""
    effective = admission.effective(want, evidence, have)
    return situation(effective, have, evidence=evidence)


def status_of(found):
    comparisons = compare_all(found)
    reported = Reported(plan(found, comparisons), comparisons, {}, {}, {})
    (told,) = app_statuses(found, reported, None)
    return told


@dataclass
class Case:
    why: str
    want: object
    have: Observed = Observed()
    evidence: Evidence = Evidence()
    action: str = "keep"
    reason: str = "InSync"
    message: str = ""
    steps: list[str] | None = None
    conditions: dict = field(default_factory=dict)


INSTALL = {"Ready": False, "Stalled": True, "Approved": False}
WAITS = {"Ready": True, "Stalled": True, "Approved": False}
RUNS = {"Ready": True, "Stalled": False, "Approved": False}
FINE = {"Ready": True, "Stalled": False, "Approved": True}
START = "StartContainer id-web-main"

CASES = [
    Case(
        "what every app may have needs no word",
        wants(PLAIN),
        action="install",
        reason="NotInstalled",
        conditions={"Approved": None},
    ),
    Case(
        "what nobody approved is not installed",
        wants(ADMIN),
        action="hold",
        reason="ApprovalRequired",
        message=f"asks for what nobody approved: capability NET_ADMIN; {ASK}",
        steps=[],
        conditions=INSTALL,
    ),
    Case(
        "what was approved is installed",
        wants(ADMIN, "capability NET_ADMIN"),
        action="install",
        reason="NotInstalled",
        conditions={"Approved": True},
    ),
    Case(
        "an approval of more covers less",
        wants(ADMIN, "capability NET_ADMIN", "capability SYS_TIME"),
        action="install",
        reason="NotInstalled",
    ),
    Case(
        "an approval of something else does not",
        wants(ADMIN, "capability SYS_TIME"),
        action="hold",
        reason="ApprovalRequired",
    ),
    Case(
        "of two approvals neither counts",
        desired(ADMIN, approvals={"web": (approval("capability NET_ADMIN"),) * 2}),
        action="hold",
        reason="ApprovalRequired",
    ),
    Case(
        "an approved app that runs is kept",
        wants(ADMIN, "capability NET_ADMIN"),
        observed(*running(ADMIN)),
        known(ADMIN),
        conditions=FINE,
    ),
    Case(
        "a wider update waits, what is new is told first, and the one before goes on",
        wants(WIDE, "capability NET_ADMIN"),
        observed(*running(ADMIN)),
        known(ADMIN),
        action="hold",
        reason="ApprovalRequired",
        message=f"an update waits: asks for what nobody approved: capability SYS_TIME; {ASK}",
        steps=[],
        conditions=WAITS,
    ),
    Case(
        "of what nobody approved the new comes before what runs already",
        wants(WIDE),
        observed(*running(ADMIN)),
        known(ADMIN),
        action="hold",
        reason="ApprovalRequired",
        message="an update waits: asks for what nobody approved:"
        f" capability SYS_TIME, capability NET_ADMIN; {ASK}",
        conditions=WAITS,
    ),
    Case(
        "while an update waits, what runs is started again",
        wants(WIDE, "capability NET_ADMIN"),
        observed(seen(ADMIN, state=EXITED)),
        known(ADMIN),
        action="start",
        reason="NotRunning",
        steps=[START],
        conditions={"Ready": False, "Stalled": True, "Approved": False},
    ),
    Case(
        "while an update waits, what is gone is made anew as it was",
        wants(WIDE, "capability NET_ADMIN"),
        observed(networks=("web",)),
        known(ADMIN),
        action="install",
        reason="NotInstalled",
    ),
    Case(
        "an update of an app that never served waits, and touches nothing",
        wants(WIDE, "capability NET_ADMIN"),
        observed(old(WIDE)),
        action="hold",
        reason="ApprovalRequired",
        message=f"asks for what nobody approved: capability SYS_TIME; {ASK}",
        steps=[],
        conditions=WAITS,
    ),
    Case(
        "a narrower update goes through",
        wants(ADMIN, "capability NET_ADMIN", "capability SYS_TIME"),
        observed(*running(WIDE)),
        known(WIDE),
        action="update",
        reason="DigestChanged",
    ),
    Case(
        "an update to nothing but the baseline needs no word",
        wants(PLAIN),
        observed(*running(ADMIN)),
        known(ADMIN),
        action="update",
        reason="DigestChanged",
    ),
    Case(
        "what runs goes on when its approval is revoked, and says so",
        wants(ADMIN),
        observed(*running(ADMIN)),
        known(ADMIN),
        conditions=RUNS,
    ),
    Case(
        "what runs without an approval is started again",
        wants(ADMIN),
        observed(seen(ADMIN, state=EXITED)),
        known(ADMIN),
        action="start",
        reason="NotRunning",
        steps=[START],
    ),
    Case(
        "and made anew, when somebody removed it",
        wants(ADMIN),
        observed(networks=("web",)),
        known(ADMIN),
        action="install",
        reason="NotInstalled",
    ),
    Case(
        "what is there entirely was let in, also where nothing is remembered",
        wants(ADMIN),
        observed(seen(ADMIN, state=EXITED)),
        action="start",
        reason="NotRunning",
    ),
    Case(
        "what runs was let in, though another is the good one still",
        wants(WIDE),
        observed(*running(WIDE), seen(ADMIN, state=EXITED, ref="id-before")),
        known(ADMIN),
        reason="PreviousKept",
        conditions=RUNS,
    ),
    Case(
        "the revision before, that stands still, is not a way around",
        wants(WIDE),
        observed(seen(WIDE, state=EXITED, ref="id-before"), *running(ADMIN)),
        known(ADMIN),
        action="update",
        reason="PreviousSuperseded",
        steps=["RemoveContainer id-before"],
        conditions=WAITS,
    ),
    Case(
        "the policy may have it stopped instead",
        wants(ADMIN),
        observed(*running(ADMIN)),
        known(ADMIN, STOPS),
        action="stop",
        reason="ApprovalRequired",
        message=f"runs with what nobody approved: capability NET_ADMIN; {ASK}",
        steps=["StopContainer id-web-main"],
    ),
    Case(
        "what was stopped so stays stopped",
        wants(ADMIN),
        observed(seen(ADMIN, state=EXITED)),
        known(ADMIN, STOPS),
        action="hold",
        reason="ApprovalRequired",
        steps=[],
        conditions=INSTALL,
    ),
    Case(
        "nothing is stopped while a file cannot be read: the approval may be in it",
        wants(ADMIN, broken_files={"x.yml": None}),
        observed(*running(ADMIN)),
        known(ADMIN, STOPS),
        conditions=RUNS,
    ),
    Case(
        "nor while the folder cannot be read",
        wants(ADMIN, complete=False),
        observed(*running(ADMIN)),
        known(ADMIN, STOPS),
        conditions=RUNS,
    ),
    Case(
        "a waiting update stops nothing that is approved",
        wants(WIDE, "capability NET_ADMIN"),
        observed(*running(ADMIN)),
        known(ADMIN, STOPS),
        action="hold",
        reason="ApprovalRequired",
        steps=[],
        conditions=WAITS,
    ),
    Case(
        "but what stands in for it is stopped where it is not approved itself",
        wants(WIDE),
        observed(*running(ADMIN)),
        known(ADMIN, STOPS),
        action="stop",
        reason="ApprovalRequired",
    ),
    Case(
        "a rule of the policy denies, whatever was approved",
        wants(ADMIN, "capability NET_ADMIN"),
        evidence=known(policy=NEVER),
        action="hold",
        reason="PolicyDenied",
        message="the rule `never` of the policy allows no capability NET_ADMIN",
        conditions=INSTALL,
    ),
    Case(
        "all that is in the way is told",
        wants(ADMIN),
        evidence=known(policy=NEVER),
        action="hold",
        reason="PolicyDenied",
        message="the rule `never` of the policy allows no capability NET_ADMIN;"
        f" asks for what nobody approved: capability NET_ADMIN; {ASK}",
    ),
    Case(
        "a new rule stops nothing that runs, and says so",
        wants(ADMIN, "capability NET_ADMIN"),
        observed(*running(ADMIN)),
        known(ADMIN, replace(NEVER, revoked=Revoked.STOP)),
        conditions=RUNS,
    ),
    Case(
        "an update that a rule denies waits",
        wants(ADMIN, "capability NET_ADMIN"),
        observed(*running(PLAIN)),
        known(PLAIN, NEVER),
        action="hold",
        reason="PolicyDenied",
        message="an update waits: the rule `never` of the policy allows no capability NET_ADMIN",
        steps=[],
        conditions=WAITS,
    ),
    Case(
        "with a policy that cannot be read nothing is installed",
        wants(PLAIN),
        evidence=known(policy=UNREAD),
        action="hold",
        reason="PolicyDenied",
        message=UNREAD.unreadable,
        conditions=INSTALL,
    ),
    Case(
        "nor updated",
        wants(app("web", container("web", image="localhost/test:2"))),
        observed(*running(PLAIN)),
        known(PLAIN, UNREAD),
        action="hold",
        reason="PolicyDenied",
        message=f"an update waits: {UNREAD.unreadable}",
        conditions=WAITS,
    ),
    Case(
        "and what runs is left alone, and repaired",
        wants(PLAIN),
        observed(seen(PLAIN, state=EXITED)),
        known(PLAIN, UNREAD),
        action="start",
        reason="NotRunning",
        conditions={"Stalled": False, "Approved": None},
    ),
    Case(
        "an approval is asked for also then",
        wants(ADMIN),
        observed(*running(ADMIN)),
        known(ADMIN, UNREAD),
        conditions=RUNS,
    ),
    Case(
        "where nothing is reviewed nothing has to be approved",
        wants(ADMIN),
        evidence=known(policy=Policy("/p", review=Review.NONE)),
        action="install",
        reason="NotInstalled",
        conditions={"Approved": True},
    ),
    Case(
        "where everything is reviewed the baseline has to be approved as well",
        wants(replace(PLAIN, volumes=())),
        evidence=known(policy=Policy("/p", review=Review.ALL)),
        action="hold",
        reason="ApprovalRequired",
        message="asks for what nobody approved: egress internet, limit cpu none,"
        f" limit memory none, limit processes none, network isolated; {ASK}",
        conditions=INSTALL,
    ),
    Case(
        "what is suspended is stopped, approved or not",
        wants(replace(ADMIN, suspended=True)),
        observed(*running(ADMIN)),
        known(ADMIN),
        action="stop",
        reason="Suspended",
        conditions={"Stalled": False},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[c.why for c in CASES])
def test_every_row(case):
    found = admitted(case.want, case.have, case.evidence)
    change = plan(found).of("web")
    assert (str(change.action), str(change.reason)) == (case.action, case.reason)
    if case.message:
        assert change.message == case.message
    if case.steps is not None:
        assert steps_of(plan(found), "web") == case.steps
    conditions = {str(c.type): c.status for c in status_of(found).conditions}
    assert {k: conditions.get(k) for k in case.conditions} == case.conditions


def test_an_app_whose_update_waits_is_what_it_was():
    found = admitted(wants(WIDE), observed(*running(ADMIN)), known(ADMIN))
    told = status_of(found)
    assert told.digest == ADMIN.digest
    status = Status((told,), PassStatus(1, 0.0, found.now))
    assert settled(status)
    assert not all_ready(status)


def test_what_is_said_of_what_runs_unapproved_is_in_its_condition():
    found = admitted(wants(ADMIN), observed(*running(ADMIN)), known(ADMIN, NEVER))
    (said,) = (c for c in status_of(found).conditions if c.type == "Approved")
    assert said.reason == "PolicyDenied"
    assert said.message == (
        "runs, though the rule `never` of the policy allows no capability NET_ADMIN;"
        f" runs with what nobody approved: capability NET_ADMIN; {ASK}"
    )


# Connections, which no restart changes

TOR = app("tor")
REACHING = replace(PLAIN, connections=(Connection("tor", (9050, 9051)),))


def both(spec, *approved, in_force=(), good=None):
    """What becomes of an app that runs, and what its rules would be."""
    said = {"web": (approval(*approved),)} if approved else {}
    passages = tuple(Passage("tor", "ar-tor", port) for port in in_force)
    rules = (IsolationSpec("web", "ar-web", passages), IsolationSpec("tor", "ar-tor"))
    have = observed(*running(PLAIN, TOR), rules=rules)
    return admitted(desired(spec, TOR, approvals=said), have, known(good or PLAIN))


def reached(found):
    return [(c.app, c.ports) for c in found.desired.apps["web"].connections]


def test_a_new_connection_waits_for_a_word_and_nothing_else_does():
    found = both(REACHING, "connection tor:9050")
    change = plan(found).of("web")
    assert (change.action, change.reason) == (Action.ISOLATE, Reason.ISOLATION_DIFFERS)
    assert reached(found) == [("tor", (9050,))]
    told = "asks for what nobody approved: connection tor:9051"
    assert found.desired.apps["web"].denial.message.startswith(told)


def test_the_connections_that_wait_are_told_when_nothing_is_left_to_do():
    found = both(REACHING)
    change = plan(found).of("web")
    assert (change.action, change.reason) == (Action.HOLD, Reason.APPROVAL_REQUIRED)
    assert reached(found) == []


def test_a_connection_in_force_stays_without_a_word():
    found = both(REACHING, in_force=(9050, 9051))
    assert reached(found) == [("tor", (9050, 9051))]
    assert found.desired.apps["web"].denial.admitted


def test_a_connection_that_the_good_revision_had_stays_also_after_a_reboot():
    assert reached(both(REACHING, good=REACHING)) == [("tor", (9050, 9051))]


def test_an_app_that_is_not_there_reaches_nobody_without_a_word():
    found = admitted(desired(REACHING, TOR))
    assert reached(found) == []
    assert plan(found).of("web").action is Action.HOLD


def test_a_connection_to_what_is_required_needs_no_word():
    spec = replace(REACHING, requires=(Requirement("tor"),))
    assert reached(both(spec)) == [("tor", (9050, 9051))]


# The way out, which no restart changes either

TO_LAN = replace(PLAIN, egress=Egress.LAN)
LAN = "egress lan"


def way_out(spec, *approved, in_force=Egress.INTERNET, good=PLAIN):
    """What becomes of the way out of an app that runs."""
    said = {"web": (approval(*approved),)} if approved else {}
    rules = (IsolationSpec("web", "ar-web", egress=in_force),) if in_force else ()
    have = observed(*running(PLAIN), rules=rules)
    return admitted(desired(spec, approvals=said), have, known(good))


@pytest.mark.parametrize(
    ("why", "given", "want"),
    [
        ("without a word it stays as it was", way_out(TO_LAN), Egress.INTERNET),
        ("none stays none", way_out(TO_LAN, in_force=Egress.NONE), Egress.NONE),
        ("after a reboot it is that of before", way_out(TO_LAN, in_force=None), Egress.INTERNET),
        ("approved, it is open", way_out(TO_LAN, LAN), Egress.LAN),
        ("what is in force stays", way_out(TO_LAN, in_force=Egress.LAN), Egress.LAN),
        ("what was good stays", way_out(TO_LAN, in_force=None, good=TO_LAN), Egress.LAN),
        ("less needs no word", way_out(replace(PLAIN, egress=Egress.NONE)), Egress.NONE),
    ],
)
def test_the_way_out(why, given, want):
    assert given.desired.apps["web"].egress is want, why


def test_a_way_out_that_waits_is_told_and_nothing_is_done():
    change = plan(way_out(TO_LAN)).of("web")
    assert (change.action, change.reason) == (Action.HOLD, Reason.APPROVAL_REQUIRED)
    assert change.message.startswith("asks for what nobody approved: egress lan; ")
    approved = plan(way_out(TO_LAN, LAN)).of("web")
    assert (approved.action, approved.reason) == (Action.ISOLATE, Reason.ISOLATION_DIFFERS)
    admitted_before = way_out(TO_LAN, in_force=Egress.LAN).desired.apps["web"].denial
    assert admitted_before.admitted


def test_an_app_that_is_not_there_has_the_usual_way_out_until_it_is_approved():
    found = admitted(desired(TO_LAN))
    assert found.desired.apps["web"].egress is Egress.INTERNET
    assert plan(found).of("web").action is Action.HOLD


# What is under way


def test_the_repair_of_what_stands_in_is_not_cancelled():
    effective = admission.effective(wants(WIDE), known(ADMIN))
    change = Change("web", Action.START, Reason.NOT_RUNNING, digest=ADMIN.digest)
    assert still_wanted(change, effective)
    assert not still_wanted(change, wants(WIDE))


def test_a_stop_by_policy_is_not_cancelled():
    effective = admission.effective(wants(ADMIN), known(ADMIN, STOPS))
    stop = Change("web", Action.STOP, Reason.APPROVAL_REQUIRED, digest=ADMIN.digest)
    assert still_wanted(stop, effective)
    assert not still_wanted(stop, wants(PLAIN))


def test_nothing_is_changed_where_nothing_is_denied():
    want = wants(PLAIN)
    assert admission.effective(want, Evidence()) is want
