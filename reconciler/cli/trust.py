"""`archipelago trust`: whose images may be run, what that says of one, and a key more."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.call import FAILED, Call
from reconciler.errors import ConfigurationError
from reconciler.model.trust import Mode, Standing, Trust, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.container import ContainerSpec
    from reconciler.model.identity import Identity

_COLOURS = {
    Standing.TRUSTED: "green",
    Standing.LOCAL: "green",
    Standing.PENDING: "yellow",
    Standing.DENIED: "red",
}
_SHORT = 19  # of a digest: `sha256:` and twelve digits
_KEY_SHORT = 12


def list(call: Call) -> None:  # noqa: A001 - the verb's name
    """Show the trust file, and what it says of the image of every container."""
    from reconciler import wiring
    from reconciler.core.trusting import verdict

    settings = call.settings()
    with wiring.reader(settings) as reconciler:
        situation, comparisons = reconciler.compared()
    trust = situation.evidence.trust
    images = [
        (container, verdict(container, situation.evidence))
        for comparison in comparisons.values()
        for container in comparison.spec.containers
    ]
    if call.json:
        told = [_image_document(container, said) for container, said in images]
        call.print_json({**_trust_document(settings.trust, trust), "images": told})
    else:
        _show(settings.trust, trust, images)
    call.finish(FAILED if trust is not None and trust.problem else 0)


def test(
    call: Call,
    image: Annotated[str, typer.Argument(help="The image, with a tag or a digest.")],
    signature: Annotated[
        str, typer.Option(help="What a manifest asks for, like cosign://key/NAME.")
    ] = "",  # noqa: PT028 - a verb, not a test
) -> None:
    """Ask the registry who signed an image, and explain what the trust file says of that."""
    from msgspec.structs import replace

    from reconciler import wiring
    from reconciler.core.signers import repository_of
    from reconciler.core.trusting import judge
    from reconciler.model.evidence import Evidence

    settings = call.settings()
    trust = _usable(settings.trust, wiring.trust(settings))
    subject, findings = wiring.look_at_signatures(image, trust)
    evidence = Evidence(trust=trust, signatures={subject: findings})
    said = judge(image, signature, subject, evidence)
    name = replace(subject, repository=repository_of(image))
    if call.json:
        call.print_json(
            {
                "image": image,
                "repository": name.repository,
                "digest": name.digest,
                "mode": str(trust.mode),
                **_verdict_document(said),
                "steps": [*said.steps],
            }
        )
    else:
        call.print(f"{image} is {name.digest}")
        for step in said.steps:
            call.print(f"- {step}")
        call.print(f"{said.standing}: {said.message}")
    call.finish(0 if said.permits else FAILED)


def add(
    call: Call,
    scope: Annotated[str, typer.Argument(help="A registry, or what lies below one.")],
    key: Annotated[Path, typer.Option(help="A public key as PEM, like cosign.pub.")],
    name: Annotated[str, typer.Option(help="What the key is called.")] = "",
    mode: Annotated[Mode, typer.Option(help="For a file that is made.")] = Mode.ENFORCE,
) -> None:
    """Trust images of a scope that this key has signed: writes the trust file."""
    from reconciler import wiring

    settings = call.settings()
    called = name or key.stem
    trust = wiring.trust_more(settings, scope, called, key, mode)
    if call.json:
        call.print_json(_trust_document(settings.trust, trust))
    call.tell(f"{settings.trust} trusts images of {scope} that {called} has signed.")
    if trust.mode is Mode.ENFORCE and len(trust.scopes) == 1:
        call.tell("Images that no scope covers are not installed or updated any more.")


def _usable(file: Path, trust: Trust | None) -> Trust:
    if trust is None:
        raise ConfigurationError(
            f"cannot judge an image: there is no trust file {file};"
            " `archipelago trust add SCOPE --key FILE` makes one"
        )
    if trust.problem:
        raise ConfigurationError(f"cannot use the trust file: {trust.problem}")
    return trust


def _trust_document(file: Path, trust: Trust | None) -> dict[str, Any]:
    found = trust or Trust()
    return {
        "file": str(file),
        "mode": str(found.mode) if trust is not None and not trust.problem else None,
        "problem": found.problem,
        "keys": [{"name": k.name, "sha256": k.id} for k in found.keys],
        "keyless": [_identity_document(identity) for identity in found.identities],
        "trusted_root": found.root.id if found.root else None,
        "scopes": [
            {
                "scope": s.name,
                "any_of": [*s.any_of],
                "all_of": [*s.all_of],
                "formats": [str(f) for f in s.formats],
                "allow_unbound_identity": s.allow_unbound_identity,
                "remap": s.remap or None,
            }
            for s in found.scopes
        ],
    }


def _identity_document(identity: "Identity") -> dict[str, Any]:
    kind = "identity_regexp" if identity.is_pattern else "identity"
    return {"name": identity.name, "issuer": identity.issuer, kind: identity.holder}


def _image_document(container: "ContainerSpec", said: Verdict) -> dict[str, Any]:
    return {
        "app": container.app,
        "container": container.name,
        "image": container.image,
        "digest": container.pin or None,
        **_verdict_document(said),
    }


def _verdict_document(said: Verdict) -> dict[str, Any]:
    return {
        "standing": str(said.standing),
        "denial": str(said.denial) if said.denial else None,
        "signers": [*said.signers],
        "message": said.message,
    }


def _show(
    file: Path, trust: Trust | None, images: "Sequence[tuple[ContainerSpec, Verdict]]"
) -> None:
    from rich.text import Text

    from reconciler.cli.tables import console, headed
    from reconciler.cli.words import plain

    page = console()
    if trust is None:
        page.print(f"There is no trust file {file}: nobody looks at signatures.")
    elif trust.problem:
        page.print(Text(f"cannot use the trust file: {plain(trust.problem)}", "red"))
    else:
        page.print(f"{file}: {trust.mode}")
        for key in trust.keys:
            page.print(Text(f"  key {plain(key.name)}  {key.id[:_KEY_SHORT]}…"))
        for it in trust.identities:
            who = f"{plain(it.holder)}, whom {plain(it.issuer)} knows"
            page.print(Text(f"  keyless {plain(it.name)}  {who}"))
        for scope in trust.scopes:
            quantity = "all" if scope.all_of else "any"
            page.print(
                Text(f"  {plain(scope.name)}  {quantity} of {plain(', '.join(scope.keys))}")
            )
    shown = headed("APP", "CONTAINER", "IMAGE", "DIGEST", "STANDING", "WHY")
    for container, said in images:
        shown.add_row(
            container.app,
            container.name,
            Text(plain(container.image), overflow="fold"),
            container.pin[:_SHORT],
            Text(str(said.standing), _COLOURS.get(said.standing, "dim")),
            Text(plain(said.message), overflow="fold"),
        )
    page.print(shown if images else "No apps.")
