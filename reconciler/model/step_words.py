"""What each step does, in a few words, for the plan and for the status while it lasts."""

from typing import assert_never

from reconciler.model.change import (
    AttachNetwork,
    CreateContainer,
    DetachNetwork,
    DrainContainer,
    EnsureNetwork,
    EnsureSecret,
    EnsureVolume,
    ForgetIsolation,
    Isolate,
    PrepareImage,
    RemoveContainer,
    RemoveNetwork,
    SetLimits,
    StartContainer,
    Step,
    StopContainer,
    WriteFiles,
    WriteNames,
)
from reconciler.model.isolation import Egress

_SHOWN = 19  # of a digest: `sha256:` and twelve digits


def describe(step: Step) -> str:  # noqa: C901, PLR0911, PLR0912 - one match over every step
    """Say in a few words what a step does."""
    match step:
        case PrepareImage(container):
            verb = "building" if container.build else "fetching"
            exactly = f" as {container.pin[:_SHOWN]}" if container.pin else ""
            return f"{verb} {container.image}{exactly}"
        case EnsureNetwork(network):
            return f"making network {network.name}"
        case EnsureVolume(volume):
            return f"making volume {volume.name}"
        case EnsureSecret(secret):
            return f"making secret {secret.name}, unless it is there"
        case CreateContainer(container):
            return f"creating {container.container_name}"
        case WriteFiles(ref, container):
            number = len(container.files) + len(container.shares)
            return f"writing {number} files for {_short(ref)}"
        case StartContainer(ref, _):
            return f"starting {_short(ref)}"
        case DrainContainer(ref):
            return f"letting the connections to {_short(ref)} end"
        case StopContainer(ref):
            return f"stopping {_short(ref)}"
        case RemoveContainer(ref):
            return f"removing {_short(ref)}"
        case RemoveNetwork(name):
            return f"removing network {name}"
        case Isolate(isolation):
            reached = ", ".join(f"{p.app}:{p.port}" for p in isolation.passages)
            out = "" if isolation.egress is Egress.INTERNET else f", way out: {isolation.egress}"
            lead = f", leading to {isolation.lead.address}" if isolation.lead else ""
            shut = f"isolating {isolation.app}" + (f" but for {reached}" if reached else "")
            return shut + out + lead
        case WriteNames(ref, names):
            told = ", ".join(name for name, _ in names) or "no other apps"
            return f"telling {_short(ref)} of {told}"
        case AttachNetwork(ref, container):
            return f"connecting {_short(ref)} to network {container.network}"
        case DetachNetwork(ref, network):
            return f"disconnecting {_short(ref)} from network {network}"
        case SetLimits(ref, _):
            return f"setting the limits of {_short(ref)}"
        case ForgetIsolation(app):
            return f"removing the rules of {app}"
        case _:
            assert_never(step)


def _short(ref: str) -> str:
    """Ids are cut to what `podman ps` shows; names stay whole."""
    return ref[:12] if len(ref) == 64 and set(ref) <= set("0123456789abcdef") else ref  # noqa: PLR2004 - hex of SHA-256
