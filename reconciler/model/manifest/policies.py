"""How an app is to be treated: its way out, its updates, its backups."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from reconciler.model.isolation import Egress
from reconciler.model.manifest.names import VolumeName
from reconciler.model.manifest.part import Items, Part, choice
from reconciler.model.manifest.scalars import Boolean
from reconciler.model.manifest.values import DAY, Duration, Words, between

HEALTH_DEADLINE: Final = 120.0


class Strategy(StrEnum):
    """How one revision follows another."""

    REPLACE = "replace"
    BLUE_GREEN = "blue-green"


class NetworkManifest(Part):
    """Where the app's own connections may lead."""

    egress: Annotated[
        Egress,
        BeforeValidator(choice(Egress, {"true": "write internet", "false": "write none"})),
        WithJsonSchema({"enum": [str(word) for word in Egress]}),
    ] = Egress.INTERNET


class UpdateManifest(Part):
    """How a new revision takes over, and for how long it may try."""

    strategy: Annotated[
        Strategy,
        BeforeValidator(choice(Strategy, {"recreate": "write replace"})),
        WithJsonSchema({"enum": [str(word) for word in Strategy]}),
    ] = Strategy.REPLACE
    rollback: Boolean = True
    health_deadline: Annotated[Duration, AfterValidator(between(1, DAY, "s"))] = HEALTH_DEADLINE


class BackupManifest(Part):
    """What a backup leaves out, and what is run around it."""

    exclude: Items[VolumeName] = ()
    pre: Words | None = None
    post: Words | None = None
