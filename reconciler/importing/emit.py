"""The text of a manifest: keys in the order that a person reads them, block style."""

from typing import Final, cast

import yaml
from typing_extensions import override

_APP: Final = [
    "id",
    "name",
    "version",
    "description",
    "category",
    "container",
    "containers",
    "dependencies",
    "parameters",
    "generated_secrets",
    "files",
    "interfaces",
    "security",
    "network",
    "hooks",
    "alerts",
    "backup",
    "metadata",
]
_CONTAINER: Final = [
    "image",
    "pull_policy",
    "entrypoint",
    "command",
    "user",
    "working_dir",
    "environment",
    "depends_on",
    "ports",
    "volumes",
    "tmpfs",
    "files",
    "devices",
    "health_check",
    "restart",
    "security",
    "resources",
]
_SHORT: Final = 150
_WIDE: Final = 10_000  # a line is never folded: a value stands where it is looked for


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key; texts of several lines stay readable."""

    @override
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)

    @override
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text.strip("\n") and text == text.strip(" ") else None
    node: yaml.ScalarNode = dumper.represent_scalar(  # pyright: ignore[reportUnknownMemberType]  # no type of value
        "tag:yaml.org,2002:str", text, style=style
    )
    return node


def _list(dumper: yaml.SafeDumper, entries: list[object]) -> yaml.SequenceNode:
    """Write a few short words on one line."""
    short = all(isinstance(e, str | int | float) and "\n" not in str(e) for e in entries)
    flow = short and sum(len(str(e)) + 4 for e in entries) <= _SHORT
    return dumper.represent_sequence("tag:yaml.org,2002:seq", entries, flow_style=flow)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def manifest_text(app: dict[str, object], comment: str) -> str:
    """Return a manifest document with a comment in front."""
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    body = yaml.dump(
        {"app": ordered(app)},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=_WIDE,
        default_flow_style=False,
    )
    return lines + body


def ordered(app: dict[str, object]) -> dict[str, object]:
    """Return the manifest with its keys, and those of its containers, in order."""
    made = _in_order(app, _APP)
    if isinstance(made.get("container"), dict):
        made["container"] = _in_order(cast("dict[str, object]", made["container"]), _CONTAINER)
    if isinstance(made.get("containers"), dict):
        containers = cast("dict[str, dict[str, object]]", made["containers"])
        made["containers"] = {name: _in_order(c, _CONTAINER) for name, c in containers.items()}
    return made


def _in_order(mapping: dict[str, object], order: list[str]) -> dict[str, object]:
    keys = sorted(mapping, key=lambda key: order.index(key) if key in order else len(order))
    return {key: mapping[key] for key in keys}
