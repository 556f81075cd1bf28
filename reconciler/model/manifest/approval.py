"""The operator's word on what an app may do: written by a verb, read by a person, checked here."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema
from typing_extensions import override

from reconciler.model.manifest.complaint import Complaint, did_you_mean, refusal, shown
from reconciler.model.manifest.names import AppId, Line, read_line
from reconciler.model.manifest.part import Items, Part
from reconciler.model.manifest.scalars import read_text
from reconciler.model.manifest.values import Moment
from reconciler.model.permission import Kind, Permission, parse_permission, permission_hash

_HINT = "`archipelago permissions APP` prints what an app asks for"


def read_permission(value: object) -> Permission:
    """Return the permission of a canonical text."""
    text = read_line(value)
    try:
        return parse_permission(text)
    except ValueError:
        kinds = [str(kind) for kind in Kind]
        word = text.partition(" ")[0]
        hint = _HINT if word in kinds else did_you_mean(word, kinds) or _HINT
        raise refusal(f"{shown(text)} is not a permission", hint) from None


def _without_doubles(permissions: tuple[Permission, ...]) -> tuple[Permission, ...]:
    return tuple(sorted(set(permissions), key=lambda p: p.text))


class ApproveManifest(Part):
    """
    Let an app do what it asks for.

    `hash` stands for the list, so that a slip of the editor does not approve something else.
    """

    app: AppId
    by: Line
    at: Moment
    permissions: Annotated[
        Items[
            Annotated[
                Permission,
                PlainValidator(read_permission),
                WithJsonSchema({"type": "string", "pattern": f"^({'|'.join(Kind)})( |$)"}),
            ]
        ],
        AfterValidator(_without_doubles),
    ]
    hash: Annotated[str, BeforeValidator(read_text), WithJsonSchema({"type": "string"})]

    @override
    def complaints(self) -> Iterator[Complaint]:
        """A list that was edited is not the one that was approved."""
        if self.hash != permission_hash(self.permissions):
            message = "the hash is not that of the list: the list was edited, or is cut short"
            hint = f"say `archipelago approve {self.app}`, which writes both"
            yield Complaint(("hash",), message, hint)
