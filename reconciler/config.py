"""
The operator's settings: flags, then ARCHIPELAGO_* variables, then archipelago.toml, then defaults.

The only reader of the environment.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from reconciler.errors import ConfigurationError
from reconciler.model.isolation import LAN_RANGES
from reconciler.model.template import FACTS

PREFIX = "ARCHIPELAGO_"
SYSTEM_FILE = Path("/etc/archipelago/archipelago.toml")
SYSTEM_DATA = Path("/var/lib/archipelago")
INSTANCE = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"


_ONLY_IN_THE_FILE = frozenset({"defaults", "facts", "git"})
FactName = Annotated[str, Field(pattern=f"^({'|'.join(FACTS)})$")]
ExportPlace = Annotated[str, Field(pattern=r"^(file:/.+|git:/.+|syslog)$")]
FactText = Annotated[str, Field(min_length=1, max_length=256)]
_IN_WORDS = {
    "git.ref": "name a branch, or a ref such as refs/tags/live",
    "git.verify": "it is off, head, range or tag",
    "instance": "a name has lower-case letters, digits and dashes, 32 at most",
    "audit_export": "a place is file:/path, git:/path or syslog",
    "log_format": "it is console, json or auto",
    "lan": "a range of addresses is written as 192.168.0.0/16 or fd00::/8",
}


def _unless_off(value: object) -> object:
    """Neither a variable nor TOML can say None."""
    return None if value == "off" else value


def _listed(value: object) -> object:
    """A variable is one text, with commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


def _ranges(value: object) -> object:
    """A variable has them in one text."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _network(text: str) -> str:
    from ipaddress import ip_network  # only where somebody sets it: verbs that look stay fast

    return str(ip_network(text))


class Limits(BaseModel):
    """Limits of containers that give none: CPU in cores, memory in bytes; None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: Annotated[float | None, Field(gt=0)] = None
    memory: Annotated[int | None, Field(ge=2**23)] = None
    pids: Annotated[int | None, Field(ge=16)] = 2048


Range = Annotated[str, AfterValidator(_network)]


class GitSource(BaseModel):
    """A git repository that the desired state comes from. `interval` and `timeout` are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(pattern=r"^[^-\s][^\s]*$", max_length=2048)]
    ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]*$")] = "main"
    path: Annotated[str, Field(pattern="^[^/-]", max_length=1024)] | None = None
    interval: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    timeout: Annotated[float, Field(ge=1, le=3600)] = 60.0
    verify: Annotated[str, Field(pattern="^(off|head|range|tag)$")] = "off"
    allowed_signers: Path | None = None
    keyring: Path | None = None
    token_file: Path | None = None
    ssh_key: Path | None = None
    known_hosts: Path | None = None
    webhook: str | None = None
    webhook_secret_file: Path | None = None
    push: bool = False


class Settings(BaseModel):
    """Every setting, with its default. Intervals are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    desired_state: Path = Path("desired-state")
    catalogue: Path = Path("apps")
    state_dir: Path
    data_dir: Path
    lan: Annotated[tuple[Range, ...], BeforeValidator(_ranges)] = LAN_RANGES
    instance: Annotated[str, Field(pattern=INSTANCE)] = "archipelago"
    trust: Path = Path("/etc/archipelago/trust.yaml")
    policy: Path | None = None  # None: that beside the file with the settings, if there is one
    podman: str | None = None
    interval: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    isolation_interval: Annotated[float, Field(ge=60, le=86_400)] = 3600.0
    prune_limit: Annotated[int, Field(ge=0)] = 3
    window: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    metrics: Annotated[str | None, BeforeValidator(_unless_off)] = "127.0.0.1:9465"
    audit_export: Annotated[tuple[ExportPlace, ...], BeforeValidator(_listed)] = ()
    log_format: Annotated[str, Field(pattern="^(console|json|auto)$")] = "auto"
    commit: bool = True
    commit_key: Path | None = None
    defaults: Limits = Limits()
    git: GitSource | None = None
    facts: dict[FactName, FactText] = Field(default_factory=dict[str, str])


def environment() -> Mapping[str, str]:
    """Return the environment, for those who hand it to child processes or look for sockets."""
    return dict(os.environ)  # noqa: TID251 - this is the one place


def load_settings(
    flags: Mapping[str, Any],
    variables: Mapping[str, str],
    file: Path | None,
) -> Settings:
    """
    Return the settings in force.

    `flags` holds only what was given. Raises ConfigurationError that names the setting, where it
    was written, and what is wrong with it.
    """
    named = file or _path(variables.get(PREFIX + "CONFIG"))
    written = _read(named or SYSTEM_FILE, required=named is not None)
    values: dict[str, Any] = {
        "state_dir": _state_dir(variables),
        "data_dir": _data_dir(variables),
        **written,
    }
    places = dict.fromkeys(written, str(named or SYSTEM_FILE))
    for name in Settings.model_fields:
        if name not in _ONLY_IN_THE_FILE and (value := variables.get(PREFIX + name.upper())):
            values[name] = value
            places[name] = PREFIX + name.upper()
        if name in flags:
            values[name] = flags[name]
            places[name] = "--" + name.replace("_", "-")
    try:
        settings = Settings.model_validate(values)
        # Named from the root, since Podman's service is started elsewhere; and instances
        # that share a state directory still never see each other.
        state = settings.state_dir.absolute() / settings.instance
        policy = settings.policy or policy_beside(named or SYSTEM_FILE)
        if settings.policy is not None and not os.path.exists(policy):  # noqa: PTH110 - never raises
            raise ConfigurationError(
                f"cannot use `policy` from {places['policy']}: {policy} is not there"
            )
        found = {"state_dir": state, "policy": policy.absolute()}
        return _following(settings.model_copy(update=found), places)
    except ValidationError as error:
        raise ConfigurationError(_told(error, places)) from error


def policy_beside(file: Path) -> Path:
    """Return where the policy is, unless the settings say otherwise."""
    return file.with_name("policy.toml")


def _following(settings: Settings, places: Mapping[str, str]) -> Settings:
    """Of a git source, the desired state is what was checked out last."""
    git = settings.git
    if git is None:
        return settings
    if "desired_state" in places:
        raise ConfigurationError(
            f"cannot use {places['desired_state']}: with [git] the desired state comes from"
            f" there ({places['git']}); remove one of both"
        )
    if (git.webhook is None) != (git.webhook_secret_file is None):
        raise ConfigurationError(
            f"cannot use [git] from {places['git']}: `webhook` and `webhook_secret_file` belong"
            " together: without a secret, anybody could have it look"
        )
    if git.push and git.ref.startswith("refs/") and not git.ref.startswith("refs/heads/"):
        raise ConfigurationError(
            f"cannot use [git] from {places['git']}: `push` needs a branch as `ref`, and"
            f" {git.ref} is none"
        )
    if re.search(r"://[^/@]*:[^/@]*@", git.url):
        raise ConfigurationError(
            f"cannot use `git.url` from {places['git']}: a password in an address is shown in"
            " many places; put it into a file and name that as `token_file`"
        )
    return settings.model_copy(update={"desired_state": settings.state_dir / "git" / "current"})


def _read(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError as error:
        if not required:
            return {}
        raise ConfigurationError(f"cannot read the settings: {file} does not exist") from error
    except OSError as error:
        raise ConfigurationError(f"cannot read the settings: {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the settings: {file}: {error}") from error


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _state_dir(variables: Mapping[str, str]) -> Path:
    """Root keeps its state with the system's, an ordinary user in the place that XDG gives."""
    if os.geteuid() == 0:
        return SYSTEM_DATA / "state"
    return Path(
        variables.get("XDG_STATE_HOME") or _home(variables) / ".local/state", "archipelago"
    )


def _data_dir(variables: Mapping[str, str]) -> Path:
    """As with state; but a user who was given the system's folder has data there."""
    if os.geteuid() == 0 or os.access(SYSTEM_DATA, os.W_OK):
        return SYSTEM_DATA
    return Path(variables.get("XDG_DATA_HOME") or _home(variables) / ".local/share", "archipelago")


def _home(variables: Mapping[str, str]) -> Path:
    return Path(variables.get("HOME") or "~").expanduser()


def _told(error: ValidationError, places: Mapping[str, str]) -> str:
    lines: list[str] = []
    for fault in error.errors():
        name = ".".join(str(part) for part in fault["loc"])
        place = places.get(str(fault["loc"][0]), "settings")
        if fault["type"] == "extra_forbidden":
            known = ", ".join(Settings.model_fields)
            lines.append(f"cannot use {place}: there is no setting `{name}` (there are: {known})")
        else:
            why = (
                _IN_WORDS.get(name)
                or _IN_WORDS.get(name.partition(".")[0])
                or fault["msg"].lower()
            )
            lines.append(f"cannot use `{name}` from {place}: {why}")
    return "\n".join(lines)
