"""The trust file as it is written: strict, and with all that is wrong at once."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, Field
from typing_extensions import override

from reconciler.model.identity import useless
from reconciler.model.image_reference import ImageReferenceError, parse_image_reference
from reconciler.model.manifest.complaint import Complaint, did_you_mean, refusal, shown
from reconciler.model.manifest.names import Line
from reconciler.model.manifest.part import Items, MapOf, Part, choice, empty
from reconciler.model.manifest.scalars import Boolean, Text, read_text
from reconciler.model.signature import SignatureFormat
from reconciler.model.trust import Mode

_HINT: Final = "write for example ghcr.io/owner"
_ROOT: Final = "`trusted_root: trusted_root.json`, a file beside this one: docs/trust.md"


def read_scope(value: object) -> str:
    """Return the name of a registry, or of what lies below one."""
    text = read_text(value)
    try:
        named = parse_image_reference(f"{text}/x")
    except ImageReferenceError as error:
        raise refusal(str(error).replace("/x`", "`"), _HINT) from error
    if not named.registry:
        raise refusal(f"{shown(text)} does not begin with the name of a registry", _HINT)
    return text


ScopeName = Annotated[str, BeforeValidator(read_scope)]
Format = Annotated[SignatureFormat, BeforeValidator(choice(SignatureFormat))]


class IdentityDocument(Part):
    """Who signs with certificates: exactly one, or all that a pattern is for."""

    issuer: Line
    identity: Line | None = None
    identity_regexp: Line | None = None

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell where it is not said who, or in a way that could take long."""
        if bool(self.identity) == bool(self.identity_regexp):
            message = "who signs is said by either `identity` or `identity_regexp`"
            yield Complaint((), message, at_key=True)
        why = useless(self.identity_regexp or "")
        if why:
            yield Complaint(("identity_regexp",), f"this cannot be used: {why}")


class ScopeDocument(Part):
    """Who has to have signed what lies at or below a name."""

    RESERVED: ClassVar[frozenset[str]] = frozenset({"require_tlog"})

    scope: ScopeName
    any_of: Items[Line] = ()
    all_of: Items[Line] = ()
    formats: Items[Format] = tuple(SignatureFormat)
    allow_unbound_identity: Boolean = False
    remap: ScopeName | None = None

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell where it is not said who counts."""
        if bool(self.any_of) == bool(self.all_of):
            yield Complaint((), "a scope has keys under either `any_of` or `all_of`", at_key=True)
        if not self.formats:
            yield Complaint(("formats",), "no format is left", "remove the key", at_key=True)


class TrustDocument(Part):
    """Keys and identities by name, and what each of them may speak for."""

    mode: Annotated[Mode, BeforeValidator(choice(Mode))]
    keys: MapOf[str, Text] = Field(default_factory=empty)
    keyless: MapOf[str, IdentityDocument] = Field(default_factory=empty)
    trusted_root: Text | None = None
    scopes: Items[ScopeDocument] = ()

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell of names that mean nothing, and of scopes that are there twice."""
        if self.keyless and self.trusted_root is None:
            message = "keyless signatures are checked with a trusted root"
            yield Complaint(("keyless",), message, f"write {_ROOT}", at_key=True)
        for name in self.keyless:
            if name in self.keys:
                yield Complaint(("keyless", name), f"a key is called {shown(name)}", at_key=True)
        names = {**self.keys, **self.keyless}
        seen: set[str] = set()
        for index, scope in enumerate(self.scopes):
            if scope.scope in seen:
                yield Complaint(
                    ("scopes", index, "scope"), f"the scope {shown(scope.scope)} is given twice"
                )
            seen.add(scope.scope)
            yield from _unknown(index, "any_of", scope.any_of, names)
            yield from _unknown(index, "all_of", scope.all_of, names)


def _unknown(
    index: int, of: str, names: tuple[str, ...], keys: Mapping[str, object]
) -> Iterator[Complaint]:
    for number, name in enumerate(names):
        if name not in keys:
            message = f"there is no key {shown(name)} under `keys`, nor under `keyless`"
            yield Complaint(("scopes", index, of, number), message, did_you_mean(name, keys))
