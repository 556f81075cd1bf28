"""
The composition root: the only module that builds concrete adapters and puts them together.

Heavy imports are inside the functions that need them, so that `archipelago status` stays fast.
"""

import gc
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import locking
from reconciler.clock import SystemClock
from reconciler.config import Settings, environment
from reconciler.errors import RegistryError
from reconciler.report import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.assembly import Loop
    from reconciler.committing import Place
    from reconciler.core.specs import Platform
    from reconciler.drivers.podman.doctor import Finding
    from reconciler.leftovers import Leftovers
    from reconciler.model.commit import SourceStatus
    from reconciler.model.desired import Desired
    from reconciler.model.pin import Past, Pin, PinKey, Signer, Told
    from reconciler.model.policy import Policy
    from reconciler.model.revision import Revision
    from reconciler.model.signature import Findings, Subject
    from reconciler.model.snapshot import Snapshot
    from reconciler.model.status import Status
    from reconciler.model.trust import Mode, Trust
    from reconciler.ports import Driver
    from reconciler.reconcile import Reconciler
    from reconciler.registry.ledger import FileLedger
    from reconciler.registry.past import PastFile
    from reconciler.report.audit.log import AuditLog
    from reconciler.security.failures import Failures
    from reconciler.security.inventory import InventoryFile
    from reconciler.security.secrets import SecretFiles
    from reconciler.sources.git_checkout import GitRepository


# Before garbage is looked for: a pass makes some thousands, and frees them itself.
_NEW_OBJECTS = 20_000


def status_path(settings: Settings) -> Path:
    """Return the file that a running loop keeps its status in."""
    return places.status_path(settings.state_dir)


def journal_path(settings: Settings) -> Path:
    """Return the file of events, one JSON object a line."""
    return places.journal_path(settings.state_dir)


def confirmation_path(settings: Settings) -> Path:
    """Return the file in which the operator's word on removals is kept."""
    return places.confirmation_path(settings.state_dir)


def lock_path(settings: Settings) -> Path:
    """Return the file that a running loop holds locked."""
    return places.lock_path(settings.state_dir, settings.instance)


def hold_lock(settings: Settings) -> AbstractContextManager[None]:
    """Be the only loop of this instance; ConfigurationError names who else is."""
    return locking.hold(lock_path(settings), SystemClock())


def lock_holder(settings: Settings) -> str | None:
    """Return who runs a loop of this instance, or None."""
    return locking.holder(lock_path(settings))


@contextmanager
def loop(
    settings: Settings,
    *,
    on_status: "Callable[[Status], None] | None" = None,
    log: bool = True,
) -> "Generator[Loop]":
    """Yield a loop of which everything is ready, and take it down again; apps go on running."""
    from reconciler import assembly

    gc.enable()  # it lives for months
    gc.set_threshold(_NEW_OBJECTS)
    with ExitStack() as stack:
        stack.enter_context(hold_lock(settings))
        yield assembly.loop(stack, settings, on_status=on_status, log=log)


@contextmanager
def reader(settings: Settings) -> "Generator[Reconciler]":
    """Yield a reconciler that can look and plan, and has no hands."""
    with driver(settings) as (engine, _):
        yield reader_of(settings, engine)


def reader_of(settings: Settings, engine: "Driver") -> "Reconciler":
    """Return a reconciler without hands that looks at this engine."""
    from reconciler import looking

    return looking.reader(settings, engine)


def unenforced() -> tuple[str, ...]:
    """Say what of the confinement that apps have elsewhere cannot be had on this machine."""
    import os

    from reconciler.drivers.podman import apparmor

    why = apparmor.missing(rootful=os.geteuid() == 0)
    return (f"AppArmor: {why}",) if why else ()


@contextmanager
def driver(settings: Settings) -> "Generator[tuple[Driver, str]]":
    """Yield the engine and a sentence about it; without a running service, one for this moment."""
    from reconciler import parts

    engine = parts.engine(settings, environment(), brief=True)
    yield parts.podman(settings, engine, parts.ledger(settings)), engine.sentence


def audit_path(settings: Settings) -> Path:
    """Return the folder of the audit log."""
    return places.audit_path(settings.state_dir)


def audit_log(settings: Settings) -> "AuditLog":
    """Return what an operator's verb puts itself on record with."""
    from reconciler import parts

    return parts.audit_log(settings, SystemClock())


def source_status(settings: Settings) -> "SourceStatus | None":
    """Return which commit is in force; None where the desired state is in no git."""
    from reconciler import git_parts

    return git_parts.at_rest(settings)


def repository(settings: Settings) -> "GitRepository | None":
    """Return the repository of the git source, if there is one."""
    from reconciler import git_parts

    return git_parts.repository(settings, settings.git) if settings.git else None


def allow_commit(settings: Settings, commit: str) -> None:
    """Write down that a commit is meant which does not contain the one in force."""
    from reconciler import git_parts

    git_parts.allow(settings, commit)


def writing(settings: Settings, actor: str) -> "AbstractContextManager[Place]":
    """Return where a verb writes the desired state, and what keeps it."""
    from reconciler import committing

    return committing.writing(settings, actor)


def findings(settings: Settings) -> "Sequence[Finding]":
    """Look at this machine, for `archipelago doctor`."""
    from reconciler.drivers.podman.doctor import diagnose
    from reconciler.drivers.podman.examination import examine

    variables = environment()
    return diagnose(*examine(settings.podman, settings.instance, settings.state_dir, variables))


def platform(settings: Settings) -> "Platform":
    """Return what this box adds to every manifest."""
    from reconciler import parts

    return parts.pass_settings(settings).platform


def desired(
    settings: Settings,
    snapshot: "Snapshot | None" = None,
    *,
    assumed: bool = False,
) -> "Desired":
    """
    Return what should run, from the documents alone (those given, or all): needs no engine.

    `assumed`: answers that are missing are taken for good.
    """
    from msgspec.structs import replace

    from reconciler import parts
    from reconciler.core.resolve import resolve

    # As the loop reads it: a folder that is not there is not an empty one.
    if snapshot is None:
        snapshot = parts.desired(settings, SystemClock(), settle=0).read()
    known = replace(platform(settings), assumed=assumed)
    return resolve(snapshot, documents(settings.catalogue), known)


def policy(settings: Settings) -> "Policy":
    """Return the operator's policy, as it is written now."""
    from reconciler import parts

    return parts.policy(settings).read()


def good_revisions(settings: Settings) -> "Mapping[str, Revision]":
    """Return the revision of each app that served last, as far as that is remembered."""
    from reconciler import parts

    return parts.revisions(settings).good()


def secrets(settings: Settings) -> "SecretFiles":
    """Return the keeper of the apps' secrets."""
    from reconciler import parts

    return parts.secrets(settings)


def ledger(settings: Settings) -> "FileLedger":
    """Return what remembers the meaning of images."""
    from reconciler import parts

    return parts.ledger(settings)


def inventory(settings: Settings) -> "InventoryFile":
    """Return what remembers which containers were adopted."""
    from reconciler import parts

    return parts.inventory(settings)


def inventory_path(settings: Settings) -> Path:
    """Return the file of what was adopted."""
    return places.inventory_path(settings.state_dir)


def leftovers(settings: Settings) -> "Leftovers":
    """Return what knows what the state folder keeps of apps."""
    from reconciler import parts
    from reconciler.leftovers import Leftovers

    return Leftovers(
        parts.secrets(settings),
        parts.ledger(settings),
        parts.past(settings),
        settings.state_dir / "shares",
        settings.state_dir / "last-good",
        parts.revisions(settings),
    )


def failures_path(settings: Settings) -> Path:
    """Return the file of revisions that failed."""
    return places.failures_path(settings.state_dir)


def failures(settings: Settings) -> "Failures":
    """Return what remembers the revisions that failed."""
    from reconciler import parts

    return parts.failures(settings)


def ask_registries(images: "Iterable[str]") -> "Mapping[str, Told]":
    """Ask what each of these names means now, as this user may."""
    from reconciler.registry.asking import ask_all
    from reconciler.registry.client import RegistryClient

    return ask_all(RegistryClient(environment()).digest, images)


def trust(settings: Settings) -> "Trust | None":
    """Return what the trust file says, None where there is none."""
    from reconciler import parts

    return parts.trust_file(settings).read()


def past(settings: Settings) -> "PastFile":
    """Return what remembers what images were before, and who signed them."""
    from reconciler import parts

    return parts.past(settings)


def look_at_signatures(image: str, trust: "Trust") -> "tuple[Subject, Findings]":
    """Ask who signed an image, as this user may; RegistryError where nobody answers."""
    from reconciler import parts
    from reconciler.core.signers import repository_of
    from reconciler.model.image_reference import parse_image_reference
    from reconciler.model.signature import Subject
    from reconciler.model.trust import Check
    from reconciler.registry.client import RegistryClient

    digest = parse_image_reference(image).digest or ""
    subject = Subject(repository_of(image) if digest else image, digest)
    check = Check("", "", image, subject, trust.keys, trust.root)
    return parts.look_at_signatures(RegistryClient(environment()), check)


def unproven(
    trust: "Trust", pins: "Mapping[PinKey, Pin]", past: "Mapping[PinKey, Past]"
) -> "Mapping[PinKey, str]":
    """Return which images may not be run, or who could not be asked about, and why."""
    from reconciler.core.trusting import as_before, judge
    from reconciler.model.evidence import Evidence
    from reconciler.model.image_reference import parse_image_reference

    found: dict[PinKey, str] = {}
    for key, pin in pins.items():
        image = parse_image_reference(pin.image).at(pin.digest)
        try:
            subject, findings = look_at_signatures(image, trust)
        except RegistryError as error:
            found[key] = str(error)
            continue
        evidence = Evidence(trust=trust, signatures={subject: findings}, past=past)
        verdict = as_before(key, pin.image, evidence, judge(pin.image, "", subject, evidence))
        if not verdict.permits:
            found[key] = verdict.message
    return found


def new_signers(
    trust: "Trust", images: "Iterable[tuple[PinKey, str]]", past: "Mapping[PinKey, Past]"
) -> "Mapping[PinKey, tuple[Signer, ...]]":
    """Return who signed these images and signed nothing of the container before; RegistryError."""
    from reconciler.core.trusting import another_signer, judge
    from reconciler.model.evidence import Evidence

    found: dict[PinKey, tuple[Signer, ...]] = {}
    for key, image in images:
        subject, findings = look_at_signatures(image, trust)
        evidence = Evidence(trust=trust, signatures={subject: findings}, past=past)
        new = another_signer(key, evidence, judge(image, "", subject, evidence))
        if new:
            found[key] = tuple(sorted({*found.get(key, ()), *new}))
    return found


def trust_more(settings: Settings, scope: str, name: str, key: Path, mode: "Mode") -> "Trust":
    """Write a key and a scope into the trust file; ConfigurationError says why not."""
    from reconciler import parts
    from reconciler.security.signing_keys import key_id
    from reconciler.sources import trust_edit

    reader = parts.trust_file(settings)
    return trust_edit.add(reader, settings.trust, (scope, name, key), mode, key_id)


def documents(path: Path) -> "Snapshot":
    """Read manifests for `archipelago validate`: a folder, a catalogue, or one file."""
    from reconciler.sources.directory import DirectorySource
    from reconciler.sources.tree import is_catalogue_manifest, is_manifest

    root = path if path.is_dir() else path.parent
    wanted: Callable[[str], bool] = is_manifest
    if root != path:
        wanted = {path.name}.__contains__
    elif any(path.glob("*/manifest.y*ml")):
        wanted = is_catalogue_manifest
    return DirectorySource(root, SystemClock(), wanted=wanted, settle=0, deep=path.is_dir()).read()
