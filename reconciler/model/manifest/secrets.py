"""Secrets that are made on the box: an app names them, and nobody has to invent or write one."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from reconciler.model.manifest.names import matching
from reconciler.model.manifest.part import Part, choice
from reconciler.model.secret import SecretKind

_NAME: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?")
SecretName = Annotated[
    str,
    BeforeValidator(
        matching(
            _NAME,
            "the name of a secret: letters, digits, `-` and `_`, at most 63",
            "write for example db-password",
        ),
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"}),
]


class GeneratedSecretManifest(Part):
    """Made once, at random, and kept."""

    name: SecretName
    kind: Annotated[
        SecretKind,
        BeforeValidator(choice(SecretKind, {"hex": "write hex32", "password": "write hex16"})),
        WithJsonSchema({"enum": [str(word) for word in SecretKind]}),
    ] = SecretKind.HEX32
