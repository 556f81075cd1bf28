"""What should run: apps with their containers, fully resolved, and what could not be."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from reconciler.model.container import ContainerSpec
from reconciler.model.isolation import Egress
from reconciler.model.origin import Origin, Problem
from reconciler.model.permission import Permission
from reconciler.model.secret import SecretSpec


class NetworkSpec(Struct, frozen=True):
    """
    An app's own bridge network. `interface` has at most 15 characters.

    It is `sealed`, shut by the engine itself, where no rules of ours can shut it.
    """

    name: str
    app: str
    interface: str
    sealed: bool = False


class VolumeSpec(Struct, frozen=True):
    """
    A data volume of an app. Never deleted by a pass.

    `secrets` are the names of all secrets of the app: the data may hang on any of them.
    """

    name: str
    app: str
    secrets: tuple[str, ...] = ()


class Requirement(Struct, frozen=True):
    """
    Another app that has to be there first.

    `app` is the one that stands in for what was asked (an id, or a name that it provides); `unmet`
    says why none does, or not well enough. With `restart_with` a new start of it is followed.
    """

    app: str
    optional: bool = False
    unmet: str = ""
    restart_with: bool = False


class Connection(Struct, frozen=True):
    """Ports of another app that are to be reached; `asked` is the name used, if not its id."""

    app: str
    ports: tuple[int, ...]
    asked: str = ""


class Suspension(Struct, frozen=True):
    """The operator's word to keep an app stopped, or exactly as it is; `until`, or for good."""

    until: datetime | None = None
    keep_running: bool = False


class Approval(Struct, frozen=True):
    """The operator's word on what an app may do, and where it is written."""

    permissions: tuple[Permission, ...]
    origin: Origin


class Denial(Struct, frozen=True):
    """
    Why an app may not be installed, updated or widened: a rule of the policy, or no approval.

    `admitted`: what is to run was let in before, and goes on. `stands_in`: it is the last good
    revision, in the place of what is written. `stops`: the policy has it stopped instead.
    """

    message: str
    by_policy: bool = False
    admitted: bool = False
    stands_in: bool = False
    stops: bool = False


class AppSpec(Struct, frozen=True):
    """
    One app as it should be.

    `unsupported` lists keys that this version cannot carry out: a reason to hold, never to ignore.
    `stale` is set where the file is unreadable now and this is its last good version.
    `disk_limit` is what its volumes may hold together; more is told, and stops nothing.
    `suspended`: nothing of it is to run now; `left_alone`: nothing of it is to be touched now.
    `health_deadline` is how long (in seconds) an update may take to serve; one that does not is
    taken back where `rollback` is set. `rolled_back` says what failed where this is not what is
    written, but the last good revision. `egress`: where its own connections may lead. `denial`: it
    is not allowed to be what is written.
    """

    id: str
    name: str
    version: str
    digest: str
    containers: tuple[ContainerSpec, ...]
    network: NetworkSpec | None
    volumes: tuple[VolumeSpec, ...]
    requires: tuple[Requirement, ...]
    origin: Origin
    manifest_changed_at: datetime | None = None
    suspended: bool = False
    left_alone: bool = False
    suspended_until: datetime | None = None
    storage: int | None = None
    disk_limit: int | None = None
    connections: tuple[Connection, ...] = ()
    requested: bool = True  # False: it is there for those that require it
    alert_install: str = ""
    alert_uninstall: str = ""
    secrets: tuple[SecretSpec, ...] = ()
    unsupported: tuple[str, ...] = ()
    stale: Problem | None = None
    rollback: bool = True
    health_deadline: float = 120.0
    rolled_back: str = ""
    egress: Egress = Egress.INTERNET
    denial: Denial | None = None

    def container(self, name: str) -> ContainerSpec | None:
        """Return the container of that name."""
        return next((c for c in self.containers if c.name == name), None)


class Desired(Struct, frozen=True):
    """
    All that should be, and all that could not be understood.

    `broken` names apps that somebody wants but whose documents cannot be used: hold them.
    `complete` is False where the source as a whole could not be read: remove nothing.
    `broken_files` are the files that could not be read, so that what came from them is held even
    where their apps are not known any more. `suspensions` are all that are written, by app, and
    under no name those of all apps; which of them are in force, the hour decides. `approvals` are
    all that are written, by app: more than one is none.
    """

    apps: Mapping[str, AppSpec] = field(default_factory=dict[str, AppSpec])
    broken: Mapping[str, Problem] = field(default_factory=dict[str, Problem])
    problems: tuple[Problem, ...] = ()
    broken_files: Mapping[str, Problem] = field(default_factory=dict[str, Problem])
    suspensions: Mapping[str, tuple[Suspension, ...]] = field(
        default_factory=dict[str, tuple[Suspension, ...]],
    )
    approvals: Mapping[str, tuple[Approval, ...]] = field(
        default_factory=dict[str, tuple[Approval, ...]],
    )
    complete: bool = True
    incomplete_because: str = ""
