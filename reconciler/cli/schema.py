"""`archipelago schema`: the manifest as a JSON Schema, for editors."""

from reconciler.cli.call import Call


def schema(call: Call) -> None:
    """Print the JSON Schema of a manifest document."""
    from reconciler.model.manifest.schema import manifest_schema

    call.print_json(manifest_schema())
