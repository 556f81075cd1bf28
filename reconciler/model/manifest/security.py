"""What a container may do, and which network its app lives in."""

import re
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from typing_extensions import override

from reconciler.model.confinement import CAPABILITIES
from reconciler.model.container import NetworkPolicy
from reconciler.model.manifest.complaint import Complaint, did_you_mean, nearest, refusal, shown
from reconciler.model.manifest.names import User, read_path
from reconciler.model.manifest.part import Items, Part
from reconciler.model.manifest.scalars import Boolean, read_integer, read_text
from reconciler.model.manifest.values import Cpu, Memory, Size, between

_NETWORK: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")
NETWORK_POLICIES: Final = tuple(str(p) for p in NetworkPolicy if p is not NetworkPolicy.NAMED)
USERNS: Final = ("host", "auto")
APPARMOR_PROFILES: Final = ("default", "required", "unconfined")
_PROFILE: Final = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./@+-]{0,127}")
OF_THE_APP: Final = frozenset({"network_policy", "userns"})
_MOST_PROCESSES: Final = 4_194_304  # the kernel's own limit


def read_capability(value: object) -> str:
    """Return a capability without CAP_."""
    text = read_text(value)
    name = text.upper().removeprefix("CAP_")
    if name == "ALL":
        raise refusal("`ALL` would give away the machine", "name the capabilities it needs")
    if name not in CAPABILITIES:
        raise refusal(
            f"the kernel has no capability {shown(text)}", did_you_mean(name, CAPABILITIES)
        )
    return name


def read_network_policy(value: object) -> str:
    """Return a policy, or the name of a network that the operator made."""
    text = read_text(value)
    if text in NETWORK_POLICIES:
        return text
    guess = nearest(text, NETWORK_POLICIES)
    if guess is not None or _NETWORK.fullmatch(text) is None:
        raise refusal(
            f"{shown(text)} is neither {', '.join(NETWORK_POLICIES)}, nor the name of a network",
            f"did you mean `{guess}`?" if guess else f"write {NETWORK_POLICIES[0]}",
        )
    return text


def read_seccomp_profile(value: object) -> str:
    """Return `default`, `strict`, `unconfined`, or the path of a profile on this machine."""
    text = read_text(value)
    if text in {"default", "strict", "unconfined"}:
        return text
    if text.startswith("/"):
        return read_path(value)
    raise refusal(
        f"{shown(text)} is not a seccomp profile",
        "write default, strict, unconfined, or the absolute path of a profile on this machine",
    )


def read_apparmor_profile(value: object) -> str:
    """Return `default`, `required`, `unconfined`, or the name of a profile of this machine."""
    text = read_text(value)
    guess = nearest(text, APPARMOR_PROFILES)
    if text in APPARMOR_PROFILES or (guess is None and _PROFILE.fullmatch(text)):
        return text
    raise refusal(
        f"{shown(text)} is not an AppArmor profile",
        f"did you mean `{guess}`?"
        if guess
        else "write default, required, unconfined, or the name of a profile that is loaded",
    )


def read_userns(value: object) -> str:
    """Return whose the numbers of users are: the machine's (`host`), or the app's own."""
    text = read_text(value)
    if text in USERNS:
        return text
    raise refusal(f"{shown(text)} is no namespace of users", "write host or auto")


def _without_doubles(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _bounded_processes(value: object) -> int:
    number = read_integer(value)
    between(1, _MOST_PROCESSES)(number)
    return number


Capability = Annotated[str, BeforeValidator(read_capability), WithJsonSchema({"type": "string"})]
Processes = Annotated[
    int,
    BeforeValidator(_bounded_processes),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": _MOST_PROCESSES}),
]


SeccompProfile = Annotated[
    str,
    BeforeValidator(read_seccomp_profile),
    WithJsonSchema({"type": "string", "pattern": "^(default|strict|unconfined|/.*)$"}),
]


AppArmorProfile = Annotated[
    str,
    BeforeValidator(read_apparmor_profile),
    WithJsonSchema({"type": "string", "pattern": f"^{_PROFILE.pattern}$"}),
]


class SecurityManifest(Part):
    """What a container may do. All capabilities but these are dropped."""

    capabilities: Annotated[Items[Capability], AfterValidator(_without_doubles)] = ()
    readonly_root: Boolean = False
    no_new_privileges: Boolean = True
    user: User | None = None
    privileged: Boolean = False
    seccomp_profile: SeccompProfile = "default"
    apparmor_profile: AppArmorProfile = "default"

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell when a profile is wanted of what nothing confines."""
        if self.privileged and self.apparmor_profile == "required":
            message = "a privileged container has no AppArmor profile: write one of the two"
            yield Complaint(("apparmor_profile",), message)

    @classmethod
    @override
    def hint_for(cls, unknown: str) -> str:
        """Return where the network policy belongs."""
        if unknown in OF_THE_APP:
            return "it belongs to the whole app: write it under `app.security`"
        return super().hint_for(unknown)


class AppSecurityManifest(SecurityManifest):
    """The same for the only container of an app, and the network of the whole app."""

    network_policy: Annotated[
        str,
        BeforeValidator(read_network_policy),
        WithJsonSchema({"type": "string", "pattern": f"^{_NETWORK.pattern}$"}),
    ] = str(NetworkPolicy.ISOLATED)
    userns: Annotated[
        str,
        BeforeValidator(read_userns),
        WithJsonSchema({"type": "string", "enum": list(USERNS)}),
    ] = "host"

    def of_container(self) -> SecurityManifest:
        """Return the part that belongs to a container."""
        return SecurityManifest.model_construct(
            _fields_set=self.model_fields_set - OF_THE_APP,
            capabilities=self.capabilities,
            readonly_root=self.readonly_root,
            no_new_privileges=self.no_new_privileges,
            user=self.user,
            privileged=self.privileged,
            seccomp_profile=self.seccomp_profile,
            apparmor_profile=self.apparmor_profile,
        )


class ResourcesManifest(Part):
    """Limits; a limit that is not written is none."""

    cpu_limit: Cpu | None = None
    memory_limit: Memory | None = None
    memory_reservation: Memory | None = None
    pids_limit: Processes | None = None
    disk_limit: Size | None = None

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell when more is reserved than allowed."""
        if self.memory_limit and (self.memory_reservation or 0) > self.memory_limit:
            yield Complaint(("memory_reservation",), "more memory is reserved than is allowed")
