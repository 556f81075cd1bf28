"""
A box on which every driver call is looked at: the properties that hold at each moment.

What is asserted here knows nothing of the planner: only the folder, the world, and the call.
"""

from simulation import Simulation

from reconciler.core.suspension import BEGINNING
from reconciler.model.container import Restart
from reconciler.model.observed import ContainerState

INSTANCE = "archipelago"
GONE_FOR_GOOD = {ContainerState.LOST, ContainerState.BROKEN}
REMOVING = {"remove", "remove_network", "forget_isolation"}
STARTS = {"create", "start"}


class Killed(BaseException):
    """The reconciler's process, ending at this instruction."""


class GuardedBox(Simulation):
    """A simulation that fails at the first call that must not be; it may be killed at any."""

    def __init__(self, prune_limit=1):
        super().__init__(prune_limit)
        self.dies_in = 0  # at which call from now on; 0: at none
        self.flushed = set()  # whose rules somebody removed, and nobody brought back yet
        self.removed = set()  # in this pass, without a word from the operator
        self.before = set()  # who was there when this pass began
        self.strangers()
        self.foreign = self.seen_of_strangers()
        self.world.hook = self.at_call

    # The operator's side of it

    def wanted(self):
        """The apps of which a document tells, readable or not, and what they need of the shelf."""
        told = {*self.folder.apps, *self.folder.broken}
        known = {**self.folder.apps, **self.folder.broken}
        needed = {n for data in known.values() for n in needs(data)}
        return told | (needed & self.catalogue.apps.keys())

    def left_alone(self, app):
        """Whether the operator's word is that it stays as it is, and nothing stronger."""
        words = [w for w in self.folder.words if w.get("app") == app]
        return bool(words) and app not in self.folder.suspended

    def ours(self):
        return [b for b in self.world.boxes.values() if b.instance == INSTANCE]

    def observed_apps(self):
        """Every app that left anything of ours."""
        networks = {n.app for n in self.world.networks.values() if n.instance == INSTANCE}
        rules = {app for instance, app in self.world.rules if instance == INSTANCE}
        return {b.spec.app for b in self.ours()} | networks | rules

    # Strangers

    def strangers(self):
        """What is not ours, named as ours are."""
        self.world.add_foreign_container(f"{INSTANCE}-a-main")
        self.world.add_foreign_container("web", instance="other")
        self.world.add_foreign_network("lan")
        self.world.add_foreign_network("other-a", instance="other")
        self.world.add_foreign_volume("photos")

    def seen_of_strangers(self):
        boxes = {
            b.name: (b.ref, b.state, b.pid)
            for b in self.world.boxes.values()
            if b.instance != INSTANCE
        }
        kinds = (self.world.networks, self.world.volumes)
        return boxes, [sorted(n for n, o in k.items() if o.instance != INSTANCE) for k in kinds]

    # Passes

    def run(self, passes=1, seconds=1.0):
        """Make passes; hold the world and the status against what has to be true after each."""
        status = None
        for _ in range(passes):
            self.before, self.removed = self.observed_apps(), set()
            volumes = set(self.world.volumes)
            status = super().run(seconds=seconds)
            if not status.last_pass.error:
                self.assert_total(status)
            assert volumes <= set(self.world.volumes), "a pass deleted data"
            self.assert_untouched()
        return status

    def run_or_die(self, passes, seconds):
        """Make passes; where the reconciler is killed, another one takes its place."""
        for _ in range(passes):
            try:
                self.run(seconds=seconds)
            except Killed:
                self.dies_in = 0
                self.restart()
            self.assert_untouched()

    def assert_total(self, status):
        told = [a.id for a in status.apps]
        assert told == sorted(set(told))
        readable = self.folder.apps.keys() if self.folder.complete else set()
        assert readable | self.before <= {*told}
        assert {*told} <= self.wanted() | self.before | self.catalogue.apps.keys()

    def assert_untouched(self):
        """Nothing of others changed, and what we started is behind its rules."""
        assert self.seen_of_strangers() == self.foreign
        self.flushed -= {app for _, app in self.world.rules}
        for box in self.ours():
            if box.state is ContainerState.RUNNING and box.spec.network:
                assert self.has_rules(box.spec.app) or box.spec.app in self.flushed, box.path

    def has_rules(self, app):
        return (INSTANCE, app) in self.world.rules

    # At each call

    def at_call(self, moment):
        if moment.when == "before":
            self.assert_allowed(moment)
        if self.dies_in:
            self.dies_in -= 1
            if not self.dies_in:
                raise Killed

    def assert_allowed(self, moment):
        verb, app = moment.verb, self.app_of(moment)
        if app is None:
            return
        assert verb != "remove_volume"
        if self.left_alone(app):
            # What somebody left without rules is shut in, whatever else is held.
            assert verb == "isolate", f"{moment} of an app that is left alone"
        if verb in REMOVING:
            self.assert_removable(moment, app)
        if verb in STARTS:
            assert app in self.wanted(), moment
            assert app not in self.folder.suspended, f"{moment} of a suspended app"
        if verb == "start":
            box = self.world.find(moment.subject)
            isolated = not box or not box.spec.network or self.has_rules(app)
            assert isolated, f"{moment} before its rules are in force"

    def assert_removable(self, moment, app):
        box = self.world.find(moment.subject) if moment.verb == "remove" else None
        if moment.verb == "remove" and box is None:
            return
        if app in self.wanted() or not self.folder.complete:
            assert box is not None, f"{moment} of an app that is wanted"
            assert self.spare(box), f"{moment}: the last of {box.path}, which is wanted"
            return
        for other in self.ours():
            assert other.spec.app == app or app not in other.spec.requires, (moment, other.path)
        for name, data in {**self.folder.apps, **self.folder.broken}.items():
            assert app not in needs(data), f"{moment}, which {name} needs"
        if not self.confirmed(app):
            self.removed.add(app)
        limit = max(self.prune_limit, len(self.before) // 3)
        assert len(self.removed) <= limit, f"{self.removed} go at once, without a word"
        assert not self.removed or self.wanted(), "an empty folder removes something"

    def spare(self, box):
        """Whether an app loses nothing with this container."""
        paths = [other.path for other in self.ours()]
        known = {**self.catalogue.apps, **self.folder.broken, **self.folder.apps}
        data = known.get(box.spec.app)
        unasked = bool(data) and box.spec.name not in containers_of(data)
        return box.state in GONE_FOR_GOOD or paths.count(box.path) > 1 or unasked

    def confirmed(self, app):
        at = self.facts.evidence.removal_confirmed.get(app, BEGINNING)
        late = [b for b in self.ours() if b.spec.app == app and b.created_at > at]
        return at != BEGINNING and all((b.created_at - at).total_seconds() <= 60 for b in late)

    def app_of(self, moment):
        """Whose thing a call is about; None where it is about nobody's in particular."""
        prefix, subject = f"{INSTANCE}-", moment.subject
        match moment.verb:
            case (
                "observe" | "volumes" | "volume_usage" | "volume_users" | "reach" | "prepare_image"
            ):
                return None
            case "isolate" | "forget_isolation":
                return subject
            case "ensure_network" | "remove_network":
                return subject.removeprefix(prefix)
            case "ensure_volume" | "create":
                return subject.removeprefix(prefix).partition("-")[0]
        box = self.world.find(subject)
        return box.spec.app if box and box.spec else None

    # The end

    def assert_as_desired(self):
        """What is desired runs, exactly that is there, and all of it as it should be."""
        wanted = self.wanted()
        assert self.observed_apps() == wanted
        shelf = {**self.catalogue.apps, **self.folder.apps}
        expected = sorted(f"{a}/{c}" for a in wanted for c in containers_of(shelf[a]))
        assert sorted(b.path for b in self.ours()) == expected
        for box in self.ours():
            data = containers_of(shelf[box.spec.app])[box.spec.name]
            job = box.spec.restart is Restart.NO
            state = ContainerState.EXITED if job else ContainerState.RUNNING
            assert (box.path, box.spec.image, box.state) == (box.path, data["image"], state)
            assert box.networks in {None, (box.spec.network,)}, box.path
            limited = box.limits is not None and box.spec.resources.memory is not None
            assert not limited or box.limits.memory == box.spec.resources.memory, box.path
        networks = {n.app for n in self.world.networks.values() if n.instance == INSTANCE}
        assert networks == wanted
        assert {app for _, app in self.world.rules} == wanted


def containers_of(data):
    """The containers that a manifest tells of, by name."""
    return data.get("containers") or ({"main": data["container"]} if data else {})


def needs(data):
    """The apps that a manifest requires."""
    told = data.get("dependencies", ())
    return {t if isinstance(t, str) else t["app_id"] for t in told}
