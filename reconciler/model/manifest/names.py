"""Names and short texts that travel into labels, host names, paths and other programs."""

import re
from collections.abc import Callable
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.model.manifest.complaint import nearest, refusal, shown
from reconciler.model.manifest.scalars import read_text

APP_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CONTAINER_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_VOLUME_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")
_HOST_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HOSTNAME: Final = re.compile(rf"(?=.{{1,64}}\Z){_HOST_LABEL}(?:\.{_HOST_LABEL})*")
_ALIAS: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_~-]{0,63}")
_USER: Final = re.compile(
    r"(?P<uid>[0-9]{1,10}|[a-zA-Z_][a-zA-Z0-9_.-]{0,31})"
    r"(?::(?P<gid>[0-9]{1,10}|[a-zA-Z_][a-zA-Z0-9_.-]{0,31}))?",
)
_LARGEST_ID: Final = 2**32 - 2
_LONGEST_LINE: Final = 256
_LONGEST_PROSE: Final = 10_000
_LONGEST_PATH: Final = 4096

_OF_THE_KERNEL: Final = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP "
    "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_SIGNALS: Final = frozenset(_OF_THE_KERNEL.split())
_REALTIME_SIGNAL: Final = re.compile(r"RTM(?:IN(?:\+(?:[1-9]|1[0-5]))?|AX(?:-(?:[1-9]|1[0-4]))?)")


def matching(pattern: re.Pattern[str], what: str, hint: str) -> Callable[[object], str]:
    """Return a reader of text that has a certain form."""

    def read(value: object) -> str:
        text = read_text(value)
        if pattern.fullmatch(text) is None:
            raise refusal(f"{shown(text)} is not {what}", hint)
        return text

    return read


def read_app_id(value: object) -> str:
    """Return an app's id."""
    text = read_text(value)
    if APP_ID.fullmatch(text):
        return text
    better = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    raise refusal(
        f"{shown(text)} is not an app id: 1 to 63 of a-z, 0-9 and `-`, no `-` at either end",
        f"write for example {better}" if better else "write for example home-assistant",
    )


def read_user(value: object) -> str:
    """Return a user as `name`, `uid`, or either with `:group`."""
    text = read_text(value)
    match = _USER.fullmatch(text)
    if match is None:
        raise refusal(
            f"{shown(text)} is not a user", "write for example 1000, 1000:1000 or nobody"
        )
    for number in match.groups():
        if number and number.isdecimal() and int(number) > _LARGEST_ID:
            raise refusal(f"{number} is too large for a user or group", f"at most {_LARGEST_ID}")
    return text


def read_signal(value: object) -> str:
    """Return a signal's name with SIG in front."""
    text = read_text(value)
    name = text.upper().removeprefix("SIG")
    if name in _SIGNALS or _REALTIME_SIGNAL.fullmatch(name):
        return f"SIG{name}"
    guess = nearest(name, _SIGNALS) if name.isalpha() else None
    hint = f"did you mean `SIG{guess}`?" if guess else "write for example SIGTERM"
    raise refusal(f"{shown(text)} is not the name of a signal", hint)


def read_line(value: object) -> str:
    """Return one line of text, fit for a label and a table."""
    text = read_text(value)
    if not text.strip():
        raise refusal("the text is empty")
    if not text.isprintable():
        raise refusal(f"{shown(text)} has line breaks or control characters")
    if len(text) > _LONGEST_LINE:
        raise refusal(f"the text has {len(text)} characters, {_LONGEST_LINE} are the most")
    return text


def read_prose(value: object) -> str:
    """Return text of one line or more."""
    text = read_text(value)
    if not text.replace("\n", " ").replace("\t", " ").isprintable():
        raise refusal(f"{shown(text)} has control characters")
    if len(text) > _LONGEST_PROSE:
        raise refusal(f"the text has {len(text)} characters, {_LONGEST_PROSE} are the most")
    return text


def read_path(value: object) -> str:
    """Return an absolute path other than `/`, without doubled slashes or dots."""
    text = read_text(value)
    if not text.isprintable() or len(text) > _LONGEST_PATH:
        raise refusal(f"{shown(text)} cannot be a path: it is too long, or has control characters")
    if not text.startswith("/"):
        raise refusal(f"{shown(text)} is not an absolute path", "begin it with `/`")
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise refusal(f"{shown(text)} leads back up with `..`", "write where it leads")
    if not parts:
        raise refusal(f"{shown(text)} is the root of everything", "name a directory below it")
    return "/" + "/".join(parts)


read_host: Final = matching(
    _HOSTNAME,
    "a host name: letters, digits and `-`, parts divided by `.`, at most 64",
    "write for example nextcloud",
)

AppId = Annotated[
    str,
    BeforeValidator(read_app_id),
    WithJsonSchema({"type": "string", "pattern": f"^{APP_ID.pattern}$"}),
]
ContainerName = Annotated[
    str,
    BeforeValidator(
        matching(
            _CONTAINER_NAME,
            "the name of a container: a-z, 0-9, `-` and `_`, at most 63",
            "write for example db",
        ),
    ),
]
VolumeName = Annotated[
    str,
    BeforeValidator(
        matching(
            _VOLUME_NAME,
            "the name of a volume: letters, digits, `.`, `-` and `_`, at most 63",
            "write for example data",
        ),
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_VOLUME_NAME.pattern}$"}),
]
Hostname = Annotated[
    str,
    BeforeValidator(read_host),
    WithJsonSchema({"type": "string", "maxLength": 64}),
]
NetworkAlias = Annotated[
    str,
    BeforeValidator(
        matching(
            _ALIAS,
            "a name in a network: letters, digits, `.`, `-` and `_`, at most 63",
            "write for example database",
        ),
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_ALIAS.pattern}$"}),
]
Version = Annotated[
    str,
    BeforeValidator(matching(_VERSION, "a version", "write for example 1.2.3")),
    WithJsonSchema({"type": ["string", "number"]}),
]
User = Annotated[
    str,
    BeforeValidator(read_user),
    WithJsonSchema({"type": ["string", "integer"]}),
]
Signal = Annotated[str, BeforeValidator(read_signal), WithJsonSchema({"type": "string"})]
Line = Annotated[
    str,
    BeforeValidator(read_line),
    WithJsonSchema({"type": ["string", "number", "boolean"], "minLength": 1}),
]
Prose = Annotated[
    str,
    BeforeValidator(read_prose),
    WithJsonSchema({"type": ["string", "number", "boolean"], "maxLength": _LONGEST_PROSE}),
]
ContainerPath = Annotated[
    str,
    BeforeValidator(read_path),
    WithJsonSchema({"type": "string", "pattern": "^/"}),
]
