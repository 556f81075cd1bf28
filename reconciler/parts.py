"""What a loop and a look are both made of."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.clock import SystemClock
from reconciler.config import SYSTEM_FILE, Settings, environment, policy_beside
from reconciler.core.signers import repository_of
from reconciler.core.specs import Platform
from reconciler.drivers.podman import endpoint
from reconciler.drivers.podman.driver import Hooks, PodmanDriver
from reconciler.drivers.podman.driver import Settings as DriverSettings
from reconciler.drivers.podman.elsewhere import Registry
from reconciler.drivers.podman.keeping import Keeper
from reconciler.drivers.podman.service import PodmanService
from reconciler.errors import RegistryError
from reconciler.model.container import Resources
from reconciler.model.signature import Findings, Subject
from reconciler.model.trust import Check
from reconciler.reconcile import PassSettings
from reconciler.registry.client import RegistryClient
from reconciler.registry.ledger import FileLedger
from reconciler.registry.past import PastFile
from reconciler.report import places
from reconciler.security import facts
from reconciler.security.evidence import BoxEvidence, Memories
from reconciler.security.failures import Failures
from reconciler.security.inventory import InventoryFile
from reconciler.security.policy import PolicyFile
from reconciler.security.proofs import ProofFile
from reconciler.security.revisions import RevisionFiles
from reconciler.security.secrets import SecretFiles
from reconciler.security.signing_keys import key_id
from reconciler.sources.directory import DirectorySource
from reconciler.sources.last_good import LastGood
from reconciler.sources.tree import is_catalogue_manifest
from reconciler.sources.trust_file import TrustFile

if TYPE_CHECKING:
    from reconciler.report.audit.log import AuditLog


class Engine(Struct, frozen=True):
    """Where Podman's API is. `service` is set when it is ours to keep alive."""

    socket: Path
    sentence: str
    service: PodmanService | None = None

    def keeper(self) -> Callable[[], None]:
        """Return what has our own service answering, ahead of each pass."""
        return Keeper(self.service.ensure) if self.service is not None else lambda: None


def engine(settings: Settings, variables: Mapping[str, str], *, brief: bool) -> Engine:
    """Find Podman's API, or start a service of our own; `brief` is for one look."""
    found = endpoint.find(settings.podman, variables)
    if found is not None:
        return Engine(found.path, f"Podman at {found.path} ({found.origin})")
    place = (settings.state_dir, settings.instance, variables)
    service = PodmanService.temporary(*place) if brief else PodmanService(*place)
    socket = service.ensure()
    return Engine(socket, f"Podman at {socket} (a service of our own)", service)


def podman(
    settings: Settings,
    found: Engine,
    pins: FileLedger,
    hooks: Hooks | None = None,
) -> PodmanDriver:
    """Return the driver for that engine."""
    elsewhere = Registry(pins, partial(_resolve, RegistryClient(environment())))
    places = DriverSettings(
        data_dir=settings.data_dir,
        shares_dir=settings.state_dir / "shares",
        profiles_dir=settings.state_dir / "apparmor",
        registry=elsewhere,
        inventory=inventory(settings),
        lan=settings.lan,
    )
    return PodmanDriver(
        settings.instance,
        found.socket,
        secrets=secrets(settings),
        settings=places,
        hooks=hooks,
    )


def ledger(
    settings: Settings,
    warn: Callable[[str], None] = lambda _: None,
    before: PastFile | None = None,
) -> FileLedger:
    """Return what remembers the meaning of images; one for all parts of a loop."""
    before = before or past(settings, warn)
    return FileLedger(places.ledger_path(settings.state_dir), warn, before.replaced)


def past(settings: Settings, warn: Callable[[str], None] = lambda _: None) -> PastFile:
    """Return what remembers what images were before, and who signed them."""
    return PastFile(places.past_path(settings.state_dir), warn)


def inventory(settings: Settings) -> InventoryFile:
    """Return what remembers which containers were adopted."""
    return InventoryFile(places.inventory_path(settings.state_dir))


def _resolve(client: RegistryClient, image: str) -> str:
    """Podman may know a way where we know none: its own complaint is the one to be told."""
    with suppress(RegistryError):
        return client.digest(image)
    return ""


def secrets(settings: Settings) -> SecretFiles:
    """Return the keeper of the apps' secrets."""
    return SecretFiles(settings.state_dir / "secrets")


def desired(
    settings: Settings,
    clock: SystemClock,
    settle: float | None = None,
) -> DirectorySource:
    """Return the desired directory; `settle` 0 takes it as it stands, for one look."""
    # A look without a loop reads what was last good, and leaves the writing to the loop.
    kept = LastGood(settings.state_dir / "last-good", writes=settle is None)
    return DirectorySource(settings.desired_state, clock, last_good=kept, settle=settle)


def catalogue(
    settings: Settings,
    clock: SystemClock,
    settle: float | None = None,
) -> DirectorySource:
    """Return the catalogue: what apps are."""
    return DirectorySource(
        settings.catalogue,
        clock,
        wanted=is_catalogue_manifest,
        settle=settle,
    )


def failures(settings: Settings, warn: Callable[[str], None] = lambda _: None) -> Failures:
    """Return what remembers the revisions that failed."""
    return Failures(places.failures_path(settings.state_dir), warn)


def trust_file(settings: Settings) -> TrustFile:
    """Return what reads the trust file; one that is named in the settings has to be there."""
    synced = (settings.desired_state, settings.catalogue)
    named = "trust" in settings.model_fields_set
    return TrustFile(settings.trust, synced, key_id, required=named)


def proofs(settings: Settings, warn: Callable[[str], None] = lambda _: None) -> ProofFile:
    """Return what remembers what signatures of images proved."""
    return ProofFile(places.proofs_path(settings.state_dir), warn)


def look_at_signatures(client: RegistryClient, check: Check) -> tuple[Subject, Findings]:
    """Return what an image is, and what is proved of it; RegistryError where nobody answers."""
    from reconciler.registry.signatures import collect
    from reconciler.security.signatures import examine
    from reconciler.security.signing_keys import load

    subject = check.subject
    if not subject.digest:
        digest = client.digest(check.image)
        subject = Subject(repository_of(check.image), digest)
    keys = {key.id: load(key.pem) for key in check.keys}
    return subject, examine(subject, collect(client, subject), keys, check.root)


def revisions(settings: Settings, warn: Callable[[str], None] = lambda _: None) -> RevisionFiles:
    """Return what remembers good and failed revisions; one for all parts of a loop."""
    folder = places.revisions_path(settings.state_dir)
    return RevisionFiles(folder, failures(settings, warn), warn)


def policy(settings: Settings) -> PolicyFile:
    """Return what reads the operator's policy."""
    return PolicyFile(settings.policy or policy_beside(SYSTEM_FILE), settings.desired_state)


def audit_log(
    settings: Settings,
    clock: SystemClock,
    export: Callable[[str], None] = lambda _: None,
    about: Callable[[], Mapping[str, str]] = dict[str, str],
) -> "AuditLog":
    """Return the audit log of this instance, signed under the name of this box."""
    from reconciler.report.audit.log import AuditLog

    folder = places.audit_path(settings.state_dir)
    return AuditLog(folder, facts.origin(settings.instance), clock, export, about=about)


def evidence(
    settings: Settings,
    clock: SystemClock,
    pins: FileLedger,
    kept: RevisionFiles,
    unrecorded: Callable[[], str] = str,
    before: PastFile | None = None,
) -> BoxEvidence:
    """Return what gathers the facts of this box."""
    before = before or past(settings)
    trust, rules = trust_file(settings).read, policy(settings)
    return BoxEvidence(
        places.confirmation_path(settings.state_dir),
        settings.data_dir,
        secrets(settings),
        Memories(pins, kept, trust, rules, unrecorded, before.past),
        clock,
    )


def pass_settings(settings: Settings) -> PassSettings:
    """Return what the operator set, in the words of a pass."""
    limits = settings.defaults
    defaults = Resources(cpu=limits.cpu, memory=limits.memory, pids=limits.pids)
    known = facts.of_this_box(settings.data_dir) | settings.facts
    platform = Platform(settings.instance, defaults, known)
    window = timedelta(seconds=settings.window)
    return PassSettings(platform, prune_limit=settings.prune_limit, window=window)
