"""What goes on record of an act besides what is done: upon what it is."""

from builders import app, container, desired, observed, running, situation
from unit.test_admission import approval
from unit.test_trusting import DIGEST, IMAGE, classic, evidence, findings

from reconciler.core.permissions import permissions_of
from reconciler.core.planner import plan
from reconciler.model.change import Action
from reconciler.model.permission import permission_hash
from reconciler.report.audit.entry import began

SIGNED = container("web", image=IMAGE, pin=DIGEST, capabilities=("NET_ADMIN",))
WEB = app("web", SIGNED)


def test_an_act_names_what_the_app_may_do_who_let_it_and_who_signed():
    said = {"web": (approval("capability NET_ADMIN", line=3),)}
    given = situation(desired(WEB, approvals=said), evidence=evidence(findings(classic())))
    change = plan(given).of("web")
    assert change.action is Action.INSTALL
    told = began(change)
    assert told["permissions"] == permission_hash(permissions_of(WEB))
    assert told["approval"] == "web.approve.yml:3:1"
    assert told["signers"] == "main: alice"
    assert (told["elevated"], told["unapproved"]) == ("capability NET_ADMIN", "")


def test_where_nothing_was_asked_for_nobody_is_named():
    plain = app("web")
    told = began(plan(situation(desired(plain))).of("web"))
    assert told["permissions"] == permission_hash(permissions_of(plain))
    assert {"approval", "signers"}.isdisjoint(told)


def test_what_only_goes_has_no_basis():
    change = plan(situation(desired(), observed(*running(app("web"), app("db"))))).of("web")
    assert change.basis == ()


def test_what_is_not_done_is_not_worked_out():
    plain = app("web")
    change = plan(situation(desired(plain), observed(*running(plain)))).of("web")
    assert (change.action, change.basis) == (Action.KEEP, ())
