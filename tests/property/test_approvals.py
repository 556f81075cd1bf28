"""Whatever is written, approved, taken back and broken: nothing runs that was never let in."""

from hypothesis import given
from hypothesis import strategies as st
from simulation import Simulation

CAPABILITIES = ("CHOWN", "NET_ADMIN", "NET_RAW")
SOME = st.frozensets(st.sampled_from(CAPABILITIES))
EVENTS = st.one_of(
    st.tuples(st.just("write"), SOME),
    st.tuples(st.just("approve"), SOME),
    st.tuples(st.sampled_from(["revoke", "kill", "remove", "reboot", "restart"]), st.none()),
)


def happen(box, event, some):
    """Do one thing to the box, if it can be done."""
    if event == "write":
        box.folder.write("web", security={"capabilities": sorted(some)})
    elif event == "approve":
        box.folder.approved["web"] = tuple(f"capability {c}" for c in sorted(some))
    elif event == "revoke":
        box.folder.approved.pop("web", None)
    elif event == "reboot":
        box.world.reboot()
    elif event == "restart":
        box.restart()
    elif box.world.boxes:
        harm = box.world.kill if event == "kill" else box.world.remove_by_hand
        harm(next(iter(box.world.boxes)))


@given(st.lists(st.tuples(EVENTS, st.integers(0, 3)), max_size=14))
def test_nothing_runs_that_was_never_let_in_and_what_was_goes_on(story):
    box = Simulation()
    box.folder.write("web", security={"capabilities": []})
    let_in = {frozenset()}
    box.settle()
    for (event, some), passes in story:
        happen(box, event, some)
        wanted = frozenset(box.folder.apps["web"]["security"]["capabilities"])
        word = {text.split()[1] for text in box.folder.approved.get("web", ())}
        if wanted <= word:
            let_in.add(wanted)
        if passes:
            box.run(passes, seconds=400)
        made = [b.spec.capabilities for b in box.world.boxes.values() if b.spec]
        assert {frozenset(each) for each in made} <= let_in
    status = box.settle()
    running = [b for b in box.world.boxes.values() if b.spec and b.state == "running"]
    assert len(running) == 1, "what was let in goes on, whatever is taken back"
    wanted = sorted(box.folder.apps["web"]["security"]["capabilities"])
    waits = status.of("web").reason in {"ApprovalRequired", "RolledBack"}
    assert waits == (sorted(running[0].spec.capabilities) != wanted)
