"""Whose images may be run, as the operator wrote it down; and what that says of one image."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from reconciler.model.identity import Identity, Root
from reconciler.model.pin import Pin, PinKey
from reconciler.model.signature import Denial, Findings, SignatureFormat, Subject


class Mode(StrEnum):
    """What becomes of an image that nobody known has signed."""

    ENFORCE = "enforce"
    WARN = "warn"


class TrustedKey(Struct, frozen=True):
    """A public key; `id` is the SHA-256 of what it is (hex)."""

    name: str
    id: str
    pem: str


class Scope(Struct, frozen=True):
    """
    Who has to have signed what lies at or below a name: `any_of` these, or `all_of` them.

    They are keys and identities, by their names.

    `remap` is the name that was signed where this one is a mirror of it. A bundle names no
    repository; unless its key is for this one repository alone, it is taken only where an
    `allow_unbound_identity` says that this does not matter.
    """

    name: str
    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    formats: tuple[SignatureFormat, ...] = tuple(SignatureFormat)
    allow_unbound_identity: bool = False
    remap: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of all keys and identities that it speaks of."""
        return self.any_of + self.all_of

    def covers(self, repository: str) -> bool:
        """Whether a repository lies at or below the name."""
        return repository == self.name or repository.startswith(f"{self.name}/")


class Trust(Struct, frozen=True):
    """
    The trust file. With a `problem` it could not be used, and says nothing else.

    Where there are `identities` there is a `root`.
    """

    mode: Mode = Mode.ENFORCE
    keys: tuple[TrustedKey, ...] = ()
    scopes: tuple[Scope, ...] = ()
    problem: str = ""
    identities: tuple[Identity, ...] = ()
    root: Root | None = None


class Standing(StrEnum):
    """What is known of who made an image. LOCAL: it was made on this box. OPEN: nobody asks."""

    TRUSTED = "trusted"
    LOCAL = "local"
    OPEN = "open"
    PENDING = "pending"
    DENIED = "denied"


class Verdict(Struct, frozen=True):
    """
    What the trust file says of an image, and why.

    `signers` are the names of the keys that count; `steps` is how the verdict came about.
    """

    standing: Standing
    message: str = ""
    denial: Denial | None = None
    signers: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()

    @property
    def permits(self) -> bool:
        """Whether it may be installed where trust is enforced."""
        return self.standing in {Standing.TRUSTED, Standing.LOCAL, Standing.OPEN}


class Check(Struct, frozen=True):
    """
    An image whose signatures are to be looked at, of one container, with these keys, or this root.

    A `subject` without a digest means that its registry is to be asked first what `image` is.
    """

    app: str
    container: str
    image: str
    subject: Subject
    keys: tuple[TrustedKey, ...]
    root: Root | None = None


class SignatureRecords(Struct, frozen=True):
    """
    What is known by now: what was found beside images, and what names turned out to mean.

    Where a name could not be asked about, the error is in `found`, by that name without a digest.
    """

    found: Mapping[Subject, Findings] = field(default_factory=dict[Subject, Findings])
    meanings: Mapping[PinKey, Pin] = field(default_factory=dict[PinKey, Pin])
