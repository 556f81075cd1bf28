"""The manifest as a JSON Schema: for editors, and for programs that write manifests."""

from typing import Any, Final, cast

from pydantic import TypeAdapter

from reconciler.model.manifest.document import KINDS

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_EITHER: Final = {
    "AppManifest": ("container", "containers"),
    "ContainerManifest": ("image", "build"),
    "DependencyManifest": ("app_id", "storage"),
    "SuspendManifest": ("app", "all"),
}


def manifest_schema() -> dict[str, Any]:
    """Return the schema of one document."""
    definitions: dict[str, Any] = {}
    documents: list[dict[str, Any]] = []
    for root, kind in KINDS.items():
        schema = TypeAdapter(kind).json_schema(ref_template="#/$defs/{model}")
        definitions |= schema.pop("$defs", {})
        definitions[kind.__name__] = schema
        documents.append(
            {
                "type": "object",
                "properties": {root: {"$ref": f"#/$defs/{kind.__name__}"}},
                "patternProperties": {"^x-": {}},
                "required": [root],
                "additionalProperties": False,
            },
        )
    schema = {
        "$schema": _DIALECT,
        "title": "Archipelago manifest, one document",
        "oneOf": documents,
        "$defs": definitions,
    }
    return cast("dict[str, Any]", _as_written(schema))


def _as_written(schema: object) -> object:
    """Return what a user may write: a key that is left out has no value, and never null."""
    match schema:
        case list():
            return [_as_written(part) for part in cast("list[object]", schema) if part != _NULL]
        case dict():
            parts = cast("dict[str, object]", schema)
            written = {key: _as_written(part) for key, part in parts.items() if part is not None}
            either = _EITHER.get(str(written.get("title")))
            if either is not None:
                written["oneOf"] = [{"required": [key]} for key in either]
            return written
        case _:
            return schema


_NULL: Final = {"type": "null"}
