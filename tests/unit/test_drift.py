"""What was changed behind our back in what runs, and how it is put right."""

from datetime import timedelta

import pytest
from builders import NOW, app, container, desired, observed, old, seen, situation, steps_of, told
from msgspec.structs import replace

from reconciler.core import backoff
from reconciler.core.planner import plan
from reconciler.model.change import Action, Change, Outcome, Reason, Result
from reconciler.model.container import Resources
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState

OWN = "archipelago-web"
LIMITS = Resources(cpu=0.5, memory=64 << 20, pids=50)
WEB = app("web", container("web", resources=LIMITS))


def planned(spec=WEB, rules=None, state=ContainerState.RUNNING, **more):
    having = {"networks": (OWN,), "limits": LIMITS} | more
    have = observed(replace(seen(spec, state=state), **having), rules=rules)
    return plan(situation(desired(spec), have))


def test_what_is_as_it_was_made_is_left_alone():
    assert told(planned()) == [("web", "keep", "InSync")]


@pytest.mark.parametrize(
    ("why", "networks", "steps"),
    [
        ("into another", (OWN, "podman"), ["DetachNetwork id-web-main"]),
        ("out of its own", (), ["AttachNetwork id-web-main"]),
        ("both", ("podman",), ["DetachNetwork id-web-main", "AttachNetwork id-web-main"]),
    ],
)
def test_networks_that_were_changed_by_hand_are_put_right(why, networks, steps):
    made = planned(networks=networks)
    assert told(made) == [("web", "isolate", "Drifted")], why
    assert steps_of(made, "web") == steps
    assert "by hand" in made.of("web").message


@pytest.mark.parametrize(
    ("limits", "differ"),
    [
        (replace(LIMITS, memory=65 << 20), True),
        (replace(LIMITS, memory=(64 << 20) + 4096), False),
        (replace(LIMITS, cpu=0.6), True),
        (replace(LIMITS, cpu=0.505), False),
        (replace(LIMITS, pids=51), True),
        (Resources(), False),
        (None, False),
    ],
)
def test_limits_that_the_kernel_does_not_enforce_are_set(limits, differ):
    made = planned(limits=limits)
    assert steps_of(made, "web") == (["SetLimits id-web-main"] if differ else [])


def test_what_has_no_limit_is_not_given_one():
    assert told(planned(app("web"))) == [("web", "keep", "InSync")]


def test_what_does_not_run_is_not_repaired():
    made = planned(networks=(), state=ContainerState.EXITED)
    assert steps_of(made, "web") == ["StartContainer id-web-main"]
    assert told(planned(replace(WEB, suspended=True), networks=()))[0][1] == "stop"
    suspended = replace(WEB, suspended=True)
    assert told(planned(suspended, networks=(), state=ContainerState.EXITED))[0][1] == "hold"
    alone = replace(WEB, left_alone=True)
    assert told(planned(alone, networks=()))[0][1] == "hold"
    have = observed(replace(old(WEB), networks=()))
    held = replace(WEB, unsupported=("hooks",))
    assert told(plan(situation(desired(held), have))) == [("web", "hold", "NotSupported")]


def test_a_network_that_is_gone_is_made_before_anybody_joins_it():
    have = observed(replace(seen(WEB), networks=(), limits=LIMITS), networks=())
    assert told(plan(situation(desired(WEB), have))) == [("web", "start", "NetworkMissing")]


def test_nobody_joins_a_network_that_is_not_there():
    held = replace(WEB, unsupported=("hooks",))
    drifted = replace(seen(held), networks=(), limits=replace(LIMITS, pids=1))
    made = plan(situation(desired(held), observed(drifted, networks=())))
    assert steps_of(made, "web") == ["SetLimits id-web-main"]


def test_the_hosts_network_has_no_networks():
    spec = replace(app("web", replace(container("web"), network=None)), network=None)
    assert told(planned(spec, networks=())) == [("web", "keep", "InSync")]


def test_rules_and_networks_are_put_right_together():
    made = planned(networks=(OWN, "podman"), rules=())
    assert told(made) == [("web", "isolate", "IsolationDiffers")]
    assert steps_of(made, "web") == ["Isolate web", "DetachNetwork id-web-main"]
    assert made.of("web").message == (
        "its rules are missing; main was connected to network podman by hand"
    )


def test_what_is_held_is_put_right_all_the_same():
    held = replace(WEB, unsupported=("hooks",))
    assert told(planned(held, networks=(OWN, "podman")))[0][1] == "isolate"


def test_who_insists_is_answered_less_and_less_often():
    made = planned(networks=(OWN, "podman"))
    change = made.of("web")
    attempts = Attempts()
    for times in range(1, 7):
        done = Outcome(change, Result.APPLIED, "", NOW, NOW, 1)
        attempts = backoff.after(attempts, done)
        assert attempts.repairs == times
        due = backoff.due_at("web", attempts, starting=False, repairing=True)
        assert (due is None or due <= NOW) is (times <= backoff.REPAIRS_AT_ONCE)
    often = replace(attempts, repairs=99)
    due = backoff.due_at("web", often, starting=False, repairing=True)
    assert due - NOW <= timedelta(seconds=backoff.REPAIR_SECONDS)
    again = plan(
        situation(
            desired(WEB),
            observed(replace(seen(WEB), networks=(OWN, "podman"), limits=LIMITS)),
            attempts={"web": replace(attempts, starts=backoff.LOOPS_AFTER)},
        )
    )
    assert told(again) == [("web", "hold", "BackOff")]
    assert again.of("web").message == "main was connected to network podman by hand"
    assert again.look_again_at > NOW
    assert backoff.calmed(attempts, NOW + timedelta(minutes=2), timedelta(minutes=1)).repairs == 0


def test_isolation_does_not_forgive_failed_starts():
    change = Change("web", Action.ISOLATE, Reason.DRIFTED, digest=WEB.digest)
    before = Attempts(digest=WEB.digest, starts=4)
    assert backoff.after(before, Outcome(change, Result.APPLIED, "", NOW, NOW, 1)).starts == 4
