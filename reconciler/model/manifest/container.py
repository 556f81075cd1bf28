"""One container of an app."""

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import override

from reconciler.model.container import Restart, StartCondition
from reconciler.model.identity import unclear
from reconciler.model.manifest.build import BuildManifest
from reconciler.model.manifest.complaint import (
    Complaint,
    complaint_of,
    refusal,
    refusals,
    shown,
)
from reconciler.model.manifest.environment import (
    DerivedVariableManifest,
    Environment,
    SecretVariableManifest,
)
from reconciler.model.manifest.health import HealthCheckManifest
from reconciler.model.manifest.names import (
    ContainerPath,
    Hostname,
    Line,
    NetworkAlias,
    Signal,
    User,
)
from reconciler.model.manifest.part import MANY, Items, MapOf, Part, as_mapping, choice, empty
from reconciler.model.manifest.ports import PortManifest
from reconciler.model.manifest.scalars import Boolean, read_text
from reconciler.model.manifest.security import ResourcesManifest, SecurityManifest
from reconciler.model.manifest.system import (
    DeviceManifest,
    ExtraHosts,
    Sysctls,
    UlimitManifest,
    UlimitName,
)
from reconciler.model.manifest.values import (
    DAY,
    Address,
    Duration,
    Image,
    Memory,
    Words,
    between,
)
from reconciler.model.manifest.volumes import VolumeManifest

PullPolicyWord = Literal["if-not-present", "always", "never", "verify-signature"]
_PULL_POLICIES: Final[tuple[PullPolicyWord, ...]] = (
    "if-not-present",
    "always",
    "never",
    "verify-signature",
)
_NOT_YET: Final = "generated_secrets files"
_RESTART_HINTS: Final = {
    "unless-stopped": "write always",
    "never": "write no",
    "false": "write no",
    "true": "write always",
}
_CONDITION_HINTS: Final = {
    "service_started": "write started",
    "service_healthy": "write healthy",
    "service_completed_successfully": "write completed",
}
_read_condition: Final = choice(StartCondition, _CONDITION_HINTS)


def read_depends_on(written: object) -> Mapping[str, StartCondition]:
    """Return what is waited for, from a mapping or from a list of names."""
    if isinstance(written, list | tuple):
        names = [read_text(name) for name in cast("list[object]", written)]
        doubled = [name for name, count in Counter(names).items() if count > 1]
        if doubled:
            raise refusal(f"{shown(min(doubled))} is given twice")
        return MappingProxyType(dict.fromkeys(names, StartCondition.STARTED))
    conditions: dict[str, StartCondition] = {}
    wrong: list[Complaint] = []
    for name, condition in as_mapping(written).items():
        if len(wrong) == MANY:
            break
        if isinstance(condition, str):
            try:
                conditions[str(name)] = _read_condition(condition)
            except PydanticCustomError as error:
                wrong.append(complaint_of(error, (str(name),)))
        else:
            message = "what to wait for must be one of started, healthy, completed"
            wrong.append(Complaint((str(name),), message, f"write `{name}: started`"))
    if wrong:
        raise refusals(wrong)
    return MappingProxyType(conditions)


DependsOn = Annotated[
    Mapping[str, StartCondition],
    PlainValidator(read_depends_on),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "object",
                    "additionalProperties": {"enum": [str(word) for word in StartCondition]},
                },
                {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            ],
        },
    ),
]


class ContainerManifest(Part):
    """What to run, from which image, with what around it."""

    RESERVED: ClassVar[frozenset[str]] = frozenset(_NOT_YET.split())

    image: Image | None = None
    build: BuildManifest | None = None
    image_signature: Line | None = None
    pull_policy: Annotated[
        PullPolicyWord,
        BeforeValidator(choice(_PULL_POLICIES, {"missing": "write if-not-present"})),
        WithJsonSchema({"enum": list(_PULL_POLICIES)}),
    ] = "if-not-present"
    command: Words | None = None
    entrypoint: Words | None = None
    user: User | None = None
    working_dir: ContainerPath | None = None
    environment: Environment = Field(default_factory=empty)
    secret_env: Items[SecretVariableManifest] = ()
    derived_env: Items[DerivedVariableManifest] = ()
    depends_on: DependsOn = Field(default_factory=empty)
    ports: Items[PortManifest] = ()
    volumes: Items[VolumeManifest] = ()
    tmpfs: Items[ContainerPath] = ()
    shm_size: Memory | None = None
    devices: Items[DeviceManifest] = ()
    ulimits: MapOf[UlimitName, UlimitManifest] = Field(default_factory=empty)
    sysctls: Sysctls = Field(default_factory=empty)
    extra_hosts: ExtraHosts = Field(default_factory=empty)
    dns: Items[Address] = ()
    init: Boolean = False
    hostname: Hostname | None = None
    stop_grace_period: Annotated[Duration, AfterValidator(between(0, DAY, "s"))] = 10.0
    stop_signal: Signal | None = None
    restart: Annotated[
        Restart,
        BeforeValidator(choice(Restart, _RESTART_HINTS)),
        WithJsonSchema({"enum": [str(word) for word in Restart]}),
    ] = Restart.ALWAYS
    network_aliases: Items[NetworkAlias] = ()
    security: SecurityManifest = SecurityManifest.model_construct()
    resources: ResourcesManifest = ResourcesManifest.model_construct()
    health_check: HealthCheckManifest | None = None
    network: Line | None = None

    @classmethod
    @override
    def hint_for(cls, unknown: str) -> str:
        """Return where a key belongs that others write here."""
        return _ELSEWHERE.get(unknown) or super().hint_for(unknown)

    @override
    def complaints(self) -> Iterator[Complaint]:
        """Tell what contradicts itself within the container."""
        if self.image is None and self.build is None:
            hint = "write for example `image: ghcr.io/owner/app:1.2.3`"
            yield Complaint(
                (), "a container needs an `image`, or a `build`", hint, missing="image"
            )
        if self.image is not None and self.build is not None:
            message = "a container is either made from an `image` or by a `build`, not both"
            yield Complaint(("build",), message, "remove one", at_key=True)
        why = unclear(self.image_signature or "")
        if why:
            yield Complaint(("image_signature",), why)
        given = set(self.environment)
        for key in ("derived_env", "secret_env"):
            for index, variable in enumerate(getattr(self, key)):
                if variable.key in given:
                    message = f"the variable `{variable.key}` is given twice"
                    yield Complaint((key, index, "key"), message)
                given.add(variable.key)

    @property
    def signature(self) -> str:
        """Who has to have signed the image; any word of it asks at least for a signature."""
        asked = self.pull_policy == "verify-signature"
        return self.image_signature or ("cosign://" if asked else "")


_ELSEWHERE: Final = {
    "cap_add": "write `security: {capabilities: […]}`",
    "cap_drop": "all capabilities are dropped; name those it needs under `security`",
    "read_only": "write `security: {readonly_root: true}`",
    "networks": "every app has a network of its own, and needs no key for it",
    "network_mode": "write `network_policy` under `app.security`",
    "healthcheck": "write `health_check`",
    "mem_limit": "write `resources: {memory_limit: 512Mi}`",
    "cpus": "write `resources: {cpu_limit: 2}`",
    "deploy": "limits go under `resources`",
    "env_file": "write the variables under `environment`",
    "container_name": "the name of a container is its key under `containers`",
    "labels": "labels are the reconciler's own; keys of yours begin with `x-`",
}
