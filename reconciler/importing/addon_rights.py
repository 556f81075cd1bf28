"""What an add-on may do beyond its own container."""

from collections.abc import Callable

from reconciler.importing.given import Given
from reconciler.importing.rights import carry_capabilities, use_host_network
from reconciler.importing.rights import carry_devices as carry_device_list
from reconciler.importing.tree import Leaf, Section, listed, part
from reconciler.importing.work import Work


def carry_host_network(given: Given, container: Section, work: Work) -> None:
    """Write that it is in the machine's network."""
    if given.boolean():
        use_host_network(given.path, work, "the add-on")
    del container


def carry_host_dbus(given: Given, container: Section, work: Work) -> None:
    """Write that it speaks with the machine's services."""
    if given.boolean():
        source = "/run/dbus"
        written = {"type": "bind", "source": source, "target": source, "options": ["ro"]}
        listed(container, "volumes").append(Leaf(written, given.path))
        given.permission(f"mounts `{source}` of the machine, and speaks with its services")
    del work


def carry_full_access(given: Given, container: Section, work: Work) -> None:
    """Write that it is not confined at all."""
    if given.boolean():
        part(container, "security")["privileged"] = Leaf(value=True, source=given.path)
        given.permission("is not confined: it can do anything on the machine")
    del work


def carry_privileged(given: Given, container: Section, work: Work) -> None:
    """Write the capabilities that are added."""
    carry_capabilities(given, container, work)


def carry_apparmor(given: Given, container: Section, work: Work) -> None:
    """Have the profile that is made for it; one that is named lies where add-ons are made."""
    text = given.closed_text()
    if text is not None and text.lower() == "false":
        part(container, "security")["apparmor_profile"] = Leaf("unconfined", given.path)
        given.permission("is not confined by AppArmor")
    elif text is not None and text.lower() != "true":
        given.not_carried("its AppArmor profile is not in this file; ours is made for it")
    del work


def carry_devices(given: Given, container: Section, work: Work) -> None:
    """Write the devices, in which older add-ons give target and rights too."""
    carry_device_list(given, container, work)


def carry_known(*paths: str) -> Callable[[Given, Section, Work], None]:
    """Return a carrier of a switch that stands for certain devices, where they are there."""

    def carry(given: Given, container: Section, work: Work) -> None:
        if not given.boolean():
            return
        for path in paths:
            leaf = Leaf({"path": path, "optional": True}, given.path)
            listed(container, "devices").append(leaf)
        shown = ", ".join(f"`{path}`" for path in paths)
        given.permission(f"uses the device {shown} where it is there", "name the one you have")
        del work

    return carry
