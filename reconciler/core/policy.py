"""What the operator's policy says to an app. Pure."""

from collections.abc import Iterator

from reconciler.core.permissions import Permissions, beyond_baseline, permissions_of
from reconciler.model.change import Reason
from reconciler.model.container import ContainerSpec, MountKind, Resources
from reconciler.model.desired import AppSpec, Denial
from reconciler.model.image_reference import parse_image_reference
from reconciler.model.policy import Limit, Policy, Review, Rule


def asked(spec: AppSpec, policy: Policy) -> Permissions:
    """Return what an app needs the operator's word for."""
    if policy.review is Review.NONE:
        return ()
    return permissions_of(spec) if policy.review is Review.ALL else beyond_baseline(spec)


def denials(spec: AppSpec, policy: Policy) -> tuple[str, ...]:
    """Return, for each rule that an app breaks, its name and what breaks it."""
    if policy.unreadable:
        return (policy.unreadable,)
    return tuple(
        f"the rule `{rule.name}` of the policy allows {what}"
        for rule in policy.rules
        if spec.id not in rule.but
        for what in _broken(rule, spec)
    )


def reason(denial: Denial) -> Reason:
    """Return the word for machines."""
    return Reason.POLICY_DENIED if denial.by_policy else Reason.APPROVAL_REQUIRED


def answer(spec: AppSpec, policy: Policy) -> tuple[bool, str, str] | None:
    """Say whether an app may be what is written, a reason and why; None where all may be that."""
    if spec.denial:
        return False, str(reason(spec.denial)), spec.denial.message
    if not beyond_baseline(spec):
        return None
    return True, "NotReviewed" if policy.review is Review.NONE else "Approved", ""


def notices(policy: Policy) -> tuple[str, ...]:
    """Say what of the policy everybody who looks at this box should know."""
    if policy.unreadable:
        return (f"{policy.unreadable}; until then nothing is installed, updated or widened",)
    if policy.review is Review.NONE:
        return (f"permissions are not reviewed on this box: {policy.file} says so",)
    return ()


def _broken(rule: Rule, spec: AppSpec) -> Iterator[str]:
    """Yield what a rule does not allow, each once, in the order of the containers."""
    yield from dict.fromkeys(what for c in spec.containers for what in _of_container(rule, c))


def _of_container(rule: Rule, container: ContainerSpec) -> Iterator[str]:
    if not _may_be_run(container, rule.registries):
        yield f"no image from elsewhere: {container.image}"
    for capability in container.capabilities:
        if capability in rule.never_capabilities:
            yield f"no capability {capability}"
    for mount in container.mounts:
        touched = any(_touch(mount.source, place) for place in rule.never_paths)
        if mount.kind is MountKind.BIND and touched:
            yield f"no folder {mount.source}"
    if rule.never_privileged and container.privileged:
        yield "no privileged container"
    yield from _without_limits(rule, container.resources)


def _without_limits(rule: Rule, given: Resources) -> Iterator[str]:
    values = {Limit.CPU: given.cpu, Limit.MEMORY: given.memory, Limit.PIDS: given.pids}
    for limit in rule.limits:
        if values[limit] is None:
            yield f"no container without a limit of {limit}"


def _may_be_run(container: ContainerSpec, registries: tuple[str, ...]) -> bool:
    """What is built on this box comes from no registry."""
    local = container.build is not None or not registries
    return local or any(_is_from(container.image, place) for place in registries)


def _is_from(image: str, place: str) -> bool:
    """Whether an image is of a registry, or below the path in one."""
    reference = parse_image_reference(image)
    name = f"{reference.registry}/{reference.repository}"
    return name == place or name.startswith(place.rstrip("/") + "/")


def _touch(path: str, place: str) -> bool:
    """A folder shows what is below it, so one around a place shows that as well."""
    return f"{path}/".startswith(f"{place}/") or f"{place}/".startswith(f"{path}/")
