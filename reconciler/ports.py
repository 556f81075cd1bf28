"""
The seams of the house: what the loop asks of the outside. Contracts are in the docstrings.

Every implementation of `Driver` passes the same contract tests.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from threading import Event
from typing import Protocol

from reconciler.model.adoption import Adoptions, ContainerFacts
from reconciler.model.change import Change, Outcome
from reconciler.model.commit import Commit
from reconciler.model.container import ContainerSpec, HealthCheck
from reconciler.model.desired import NetworkSpec, VolumeSpec
from reconciler.model.evidence import Evidence
from reconciler.model.health import ProbeRecord, ProbeResult
from reconciler.model.isolation import IsolationSpec, Names
from reconciler.model.last_words import LogEnd
from reconciler.model.observed import Observed, ObservedContainer
from reconciler.model.pin import Pin, PinKey
from reconciler.model.revision import FailedRevision, Revision
from reconciler.model.secret import SecretRef, SecretSpec
from reconciler.model.snapshot import Snapshot
from reconciler.model.status import Status
from reconciler.model.trial import Reach, Target, Trial, Tried
from reconciler.model.trust import Check, SignatureRecords
from reconciler.model.volume import ObservedVolume

Wake = Callable[[], None]


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...


class Source(Protocol):
    """A place where documents come from."""

    def read(self) -> Snapshot:
        """
        Return everything that is there now.

        Never raises for what a user may have written or unplugged: what cannot be read is in the
        snapshot's problems, with the last good version beside it.
        """
        ...


class Subscription(Protocol):
    """Something that goes on until it is closed."""

    def close(self) -> None:
        """Stop; no wake-up comes after this returns."""
        ...


class Driver(Protocol):
    """
    A container engine, in idempotent verbs.

    Every verb has a deadline of its own and raises DriverUnavailable (nobody answered in time),
    DriverConflict (the world moved) or DriverRejected (it said no, and why). Doing what is done
    already is never an error. Nothing is ever touched that has neither our label and our instance
    nor an entry in the inventory. All verbs may be called from several threads at once.
    """

    def observe(self) -> Observed:
        """Return all containers and networks of this instance, sorted by app and name."""
        ...

    def prepare_image(self, container: ContainerSpec, progress: Callable[[str], None]) -> None:
        """
        Have the image on the box, pulled or built; tell `progress` in words meanwhile.

        A container with a `pin` gets that image or DriverRejected, never what the tag means by
        now. For one without, the registry is asked if its policy wants that, and the answer goes
        into the ledger. For one that is `guarded` nobody is asked: without a pin, or a digest, or
        where the image is made on this box and is not here, it is DriverRejected.
        """
        ...

    def ensure_network(self, network: NetworkSpec) -> None:
        """Have the network, labelled with its app; one that is there stays as it is."""
        ...

    def ensure_volume(self, volume: VolumeSpec) -> None:
        """Have the volume, labelled with its app. One of that name that is not ours is refused."""
        ...

    def create(self, container: ContainerSpec) -> str:
        """
        Have the container, not started, and return its id.

        A half-made one of that name is replaced. It is made of the image that its `pin` names, or
        else the ledger, and says so in labels. One that is `guarded` is made by the image's id,
        and DriverRejected where that is not the one that was prepared under its name.
        """
        ...

    def write_files(self, ref: str, container: ContainerSpec) -> None:
        """
        Have the spec's files in the volumes of a container that is made and not started.

        What its image brings for an empty volume is there as well. A file without `overwrite` is
        left alone where there is one.
        """
        ...

    def start(self, ref: str, names: Names = ()) -> None:
        """
        Have it running; its process was seen to start. `ref` is an id or a container name.

        Its first instruction already knows the `names` of other apps.
        """
        ...

    def drain(self, ref: str, grace: float, stop: Event) -> None:
        """
        Return once nobody is connected to a running container. Absent, or not running, is fine.

        After `grace` seconds at the latest, and soon when `stop` is set.
        """
        ...

    def stop(self, ref: str, grace: float) -> None:
        """Have it not running: its stop signal, `grace` seconds, then SIGKILL. Absent is fine."""
        ...

    def remove(self, ref: str) -> None:
        """Have it gone, running or not, with no grace. Named volumes stay. Absent is fine."""
        ...

    def remove_network(self, name: str) -> None:
        """Have the network gone. Absent is fine; in use is a DriverConflict."""
        ...

    def isolate(self, isolation: IsolationSpec) -> None:
        """
        Have exactly these rules for an app, at once and in one piece; those of others stay.

        They hold for packets of connections that are open already; where a port leads, for those
        that begin. Where there can be none, or somebody else has the port, DriverRejected says so.
        """
        ...

    def forget_isolation(self, app: str) -> None:
        """Have no rules for an app. Absent is fine."""
        ...

    def write_names(self, ref: str, names: Names) -> None:
        """Have a running container know exactly these names of other apps. Absent is fine."""
        ...

    def attach(self, ref: str, container: ContainerSpec) -> None:
        """Have a running container in its app's network, as when it was made. Absent is fine."""
        ...

    def detach(self, ref: str, network: str) -> None:
        """Have a container not in a network, whosever it is. Absent is fine."""
        ...

    def set_limits(self, ref: str, container: ContainerSpec) -> None:
        """Have the kernel enforce a running container's limits. Absent is fine."""
        ...

    def probe(self, container: ObservedContainer, check: HealthCheck) -> ProbeResult:
        """
        Ask a running container whether it is well, within the check's timeout.

        `localhost` is the container itself. Never raises: what goes wrong is a failed probe.
        """
        ...

    def reach(self, ref: str, targets: tuple[Target, ...]) -> tuple[Reach, ...]:
        """
        Try connections from inside a running container, and say what became of each.

        The machine stands for its addresses, of which the worst counts. This takes some seconds,
        and sends nothing to who answers. DriverConflict where nothing runs, DriverRejected where
        its network cannot be entered.
        """
        ...

    def examine(self, names: tuple[str, ...]) -> tuple[ContainerFacts, ...]:
        """
        Return what can be seen of containers of anybody that have one of these names or ids.

        Sorted by name. Ours are told as well; those that are not there are left out.
        """
        ...

    def volume_usage(self, name: str, stop: Event) -> int | None:
        """
        Return how many bytes a volume of ours takes on its disk; this may take minutes.

        Links are not followed, what is linked twice counts once, and other file systems that are
        mounted inside do not count. None: not all of it could be read, it is not there, it took
        too long, or `stop` was set. One that is not ours is refused.
        """
        ...

    def volumes(self) -> tuple[ObservedVolume, ...]:
        """
        Return all volumes of this instance, sorted by app and name.

        With them, without an app, those that are named as ours are and carry no instance's label.
        """
        ...

    def volume_users(self, name: str) -> tuple[str, ...]:
        """Return the names of all containers, anybody's, that mount the volume, sorted."""
        ...

    def remove_volume(self, name: str) -> None:
        """
        Have the volume gone, and the data in it. No step of a plan: only an operator asks for it.

        Absent is fine; one that is not ours is refused; in use is a DriverConflict that names the
        users.
        """
        ...

    def logs(self, ref: str, *, tail: int | None, follow: bool) -> Iterator[str]:
        """Yield the lines that a container printed; with `follow`, as they come."""
        ...

    def subscribe(self, wake: Wake) -> Subscription:
        """
        Call `wake` whenever something of ours may have changed, until closed.

        Reconnects by itself, with back-off; after a gap it wakes once, since nobody knows what
        was missed. The end of a process wakes at once.
        """
        ...


class Secrets(Protocol):
    """Keeps secrets. Both verbs raise SecretError, never with a value in the message."""

    def ensure(self, secret: SecretSpec) -> None:
        """Have the secret: made once, at random, on disk before this returns; never made anew."""
        ...

    def read(self, ref: SecretRef) -> str:
        """Return the value, or its hash."""
        ...


class Ledger(Protocol):
    """
    Remembers what images were taken to mean, by app and container; labels say the same.

    Never raises. What cannot be written is told, and known for as long as this process lives.
    """

    def pins(self) -> Mapping[PinKey, Pin]:
        """Return everything that is remembered, by whomever it was written."""
        ...

    def pin(self, key: PinKey, pin: Pin) -> None:
        """Remember what a container's image is taken to mean from now on."""
        ...

    def restore(self, pins: Mapping[PinKey, Pin]) -> None:
        """Remember these where nothing is remembered of the same reference."""
        ...

    def ids(self) -> Mapping[str, str]:
        """Return the ids of all images that were recognised, by name."""
        ...

    def recognised(self, name: str, image_id: str, *, made: bool = False) -> str:
        """
        Return the id of the image that a name is for: the first that was seen, or was `made`.

        `name` is of one image for ever: it has a digest in it, or a hash of what it is built of.
        """
        ...


class Inventory(Protocol):
    """Remembers what was adopted: what has no label of ours, and is ours all the same."""

    def adoptions(self) -> Adoptions:
        """Return all of it. DriverRejected where it cannot be read: it may name what runs."""
        ...

    def forget(self, ref: str) -> None:
        """Know nothing any more of a container's id, or a volume's name, that is gone."""
        ...


class EvidenceGatherer(Protocol):
    """Collects facts; judges none of them."""

    def gather(self) -> Evidence:
        """Return the facts of this moment; never raises, what is missing is missing."""
        ...


class Lanes(Protocol):
    """The single-flight workers, one an app, that carry out changes."""

    def dispatch(self, change: Change) -> bool:
        """Begin the change unless the app's lane is busy; say whether it was begun."""
        ...

    def running(self) -> Mapping[str, Change]:
        """Return the changes under way, by app."""
        ...

    def progress(self) -> Mapping[str, str]:
        """Return what each running lane is doing, in words, by app."""
        ...

    def cancel(self, app: str) -> None:
        """Ask the app's lane to stop at its next step."""
        ...

    def finished(self) -> tuple[Outcome, ...]:
        """Return, once, the outcomes since the last call."""
        ...


class Probes(Protocol):
    """Probes running containers on their intervals."""

    def watch(self, targets: Mapping[str, tuple[ObservedContainer, HealthCheck]]) -> None:
        """Probe exactly these from now on, keyed by ref; a new run starts afresh."""
        ...

    def records(self) -> Mapping[str, ProbeRecord]:
        """Return what was counted, by ref."""
        ...


class Usage(Protocol):
    """Measures now and then what the volumes of apps hold."""

    def watch(self, targets: Mapping[str, tuple[str, ...]]) -> None:
        """Measure exactly these volumes from now on, by app; other volumes are begun anew."""
        ...

    def records(self) -> Mapping[str, int | None]:
        """Return the bytes by app; None: could not be measured, missing: was not yet."""
        ...


class Trials(Protocol):
    """Tries now and then what apps reach."""

    def watch(self, trials: Mapping[str, Trial]) -> None:
        """Make exactly these from now on, by app; another one is begun soon."""
        ...

    def records(self) -> Mapping[str, Tried]:
        """Return what was found last, by app."""
        ...


class LastWords(Protocol):
    """Reads the ends of the logs of containers that keep ending."""

    def watch(self, targets: Mapping[str, LogEnd]) -> None:
        """Read exactly these from now on, by ref, each once for an exit code."""
        ...

    def records(self) -> Mapping[str, str]:
        """
        Return what was printed last, by ref, to be put behind a message; empty where nothing was.

        No secret of the app is in it, nor what could steer a terminal.
        """
        ...


class Signatures(Protocol):
    """Looks at what registries keep beside images, in the background. It judges nothing."""

    def watch(self, checks: tuple[Check, ...]) -> None:
        """Look at exactly these from now on, each again and again, with patience."""
        ...

    def records(self) -> SignatureRecords:
        """Return what is known by now; what was found once is known without asking again."""
        ...


class Revisions(Protocol):
    """
    Keeps the last good revision of each app, and those that failed.

    Never raises. What cannot be written is told, and known for as long as this process lives.
    """

    def keep(self, app: str, revision: Revision) -> None:
        """Remember the revision to go back to."""
        ...

    def fail(self, app: str, failed: FailedRevision) -> None:
        """Remember a revision that was given up, besides those that are known."""
        ...

    def forget(self, app: str) -> None:
        """Forget everything of an app."""
        ...


class Repository(Protocol):
    """A repository, a folder of which is the desired state. Every verb raises SourceError."""

    def fetch(self) -> str:
        """Have what the followed ref means now, and return its commit's id."""
        ...

    def applied(self) -> Commit | None:
        """Return the commit in force; None where there is none. Never raises."""
        ...

    def commit(self, commit: str) -> Commit:
        """Return who wrote a commit, and what it is about."""
        ...

    def contains(self, commit: str, older: str) -> bool:
        """Say whether the history of a commit has an older one in it."""
        ...

    def between(self, older: str, newer: str) -> tuple[str, ...]:
        """Return the commits after `older` up to `newer`, newest first."""
        ...

    def tag(self) -> str:
        """Return the id of the annotated tag that the followed ref is; empty where it is none."""
        ...

    def raw(self, kind: str, name: str) -> bytes:
        """Return an object as it is kept: what a signature is over."""
        ...

    def changes(self, commit: str) -> Mapping[str, Commit]:
        """Return which commit changed each file last, as far as it can be found. Never raises."""
        ...

    def obstacles(self, commit: str) -> tuple[str, ...]:
        """Return what of a commit cannot be checked out, and why."""
        ...

    def take(self, commit: Commit) -> None:
        """Have the files of a commit in force, all at once."""
        ...


class CommitVerifier(Protocol):
    """Finds out who signed commits; judges nothing."""

    def since(self, repository: Repository, head: str, applied: str) -> tuple[Commit, ...]:
        """Return those that have to be signed, newest first, each with its signer or why not."""
        ...


class Audit(Protocol):
    """Has it on record, for good, what is done: before it is done, and how it ended."""

    def begins(self, change: Change) -> None:
        """Have it on disk that a change begins. Raises AuditError: then it must not begin."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """Have it on record how a change ended. Never raises; written as soon as it can be."""
        ...


class Recorder(Protocol):
    """Told what happened; tells the world. Never raises, never slows the loop."""

    def passed(self, status: Status) -> None:
        """Record a pass and the state of all apps after it."""
        ...

    def finished(self, outcome: Outcome) -> None:
        """Record a change that ended."""
        ...
