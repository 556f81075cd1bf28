"""What each step does, in a few words, for the plan and for the status while it lasts."""

from typing import assert_never

from reconciler.model.change import (
    CreateContainer,
    EnsureNetwork,
    EnsureSecret,
    EnsureVolume,
    PrepareImage,
    RemoveContainer,
    RemoveNetwork,
    StartContainer,
    Step,
    StopContainer,
    WriteFiles,
)

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
        case StopContainer(ref):
            return f"stopping {_short(ref)}"
        case RemoveContainer(ref):
            return f"removing {_short(ref)}"
        case RemoveNetwork(name):
            return f"removing network {name}"
        case _:
            assert_never(step)


def _short(ref: str) -> str:
    """Ids are cut to what `podman ps` shows; names stay whole."""
    return ref[:12] if len(ref) == 64 and set(ref) <= set("0123456789abcdef") else ref  # noqa: PLR2004 - hex of SHA-256
