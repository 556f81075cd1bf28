"""The end of every import: what was asked is written, the manifest is fitted, the rest is told."""

from typing import cast

from msgspec import Struct

from reconciler.importing.fitting import fit
from reconciler.importing.ledger import Fate, Kind, Ledger, Note
from reconciler.importing.tree import Leaf, Section, part
from reconciler.importing.work import Work


class Draft(Struct, frozen=True):
    """A manifest as plain data, or the reasons why there is none; and the report."""

    app: dict[str, object]
    refusals: tuple[Note, ...]
    ledger: Ledger
    carried: int
    neutral: int
    not_carried: int

    def notes(self, kind: Kind) -> list[Note]:
        """Return the notes of one kind."""
        return [note for note in self.ledger.notes if note.kind is kind]


def finish(data: object, work: Work) -> Draft:
    """Return the finished draft."""
    app = work.app
    containers = cast("dict[str, Section]", app.get("containers", {}))
    _settle_host_network(app, containers, work)
    if work.asked.parameters:
        app["parameters"] = list(work.asked.parameters.values())
    if work.asked.made:
        app["generated_secrets"] = list(work.asked.made.values())
    if len(containers) == 1:
        del app["containers"]
        app["container"] = next(iter(containers.values()))
    fitted = fit(app, work.ledger)
    _drop_unused(fitted.app)
    work.ledger.sweep(data)
    work.ledger.keep_true()
    count = work.ledger.count
    return Draft(
        fitted.app,
        fitted.refusals,
        work.ledger,
        count(data, Fate.CARRIED),
        count(data, Fate.NEUTRAL),
        count(data, Fate.NOT_CARRIED),
    )


def _settle_host_network(app: Section, containers: dict[str, Section], work: Work) -> None:
    """Leave out what has no meaning in the machine's own network."""
    policy = part(app, "security").get("network_policy")
    if not isinstance(policy, Leaf) or policy.value not in {"host", "none"}:
        return
    for container in containers.values():
        for leaf in cast("list[Leaf]", container.pop("ports", [])):
            port = cast("Section", leaf.value)
            message = f"in the machine's network port {port['container']} is opened by the app"
            if policy.value == "none":
                message = "without a network no port can be reached"
            work.ledger.not_carried(leaf.source, message, "remove the mapping")


def _drop_unused(app: dict[str, object]) -> None:
    """Leave out questions and secrets whose only use had to go."""
    for key, word in (("parameters", "parameters"), ("generated_secrets", "secrets")):
        entries = cast("list[dict[str, object]]", app.get(key, []))
        text = str({name: value for name, value in app.items() if name != key})
        used = [entry for entry in entries if f"{{{{ {word}.{entry['name']} }}}}" in text]
        if entries and not used:
            del app[key]
        elif entries:
            app[key] = used
