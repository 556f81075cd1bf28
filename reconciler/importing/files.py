"""Configs and secrets of Compose whose content stands in the file: they become files."""

from reconciler.importing.given import Given
from reconciler.importing.tree import Leaf, Section, listed
from reconciler.importing.work import Work, template_problem

_ELSEWHERE = (
    "its content is not in the file",
    "put the content under `files:`, below a volume",
)


def learn_contents(given: Given | None, work: Work) -> None:
    """Learn the contents of the configs or secrets that a file has at its top."""
    for name, value in given.pairs() if given is not None else []:
        if value.value is None:
            value.neutral()
            continue
        content = value.get("content")
        if content is None:
            value.not_carried(*_ELSEWHERE)
            continue
        text = content.text()
        problem = template_problem(text or "")
        if problem:
            content.not_carried(problem)
        elif text is not None:
            work.contents[name] = work.asked.render(text, content.path)


def carry_configs(given: Given, container: Section, work: Work) -> None:
    """Write files with their content; each has to lie in a volume."""
    del container
    _carry(given, work, "/")


def carry_secrets(given: Given, container: Section, work: Work) -> None:
    """Write files with their content; each has to lie in a volume."""
    del container
    _carry(given, work, "/run/secrets/")


def _carry(given: Given, work: Work, folder: str) -> None:
    for entry in given.entries():
        name, target = _names(entry)
        if not name or name not in work.contents:
            entry.not_carried(*_ELSEWHERE)
            continue
        target = target or f"{folder}{name}"
        path = target if target.startswith("/") else f"{folder}{target}"
        leaf = Leaf({"path": path, "content": work.contents[name]}, entry.path)
        listed(work.app, "files").append(leaf)


def _names(entry: Given) -> tuple[str, str]:
    if not entry.is_mapping:
        return entry.closed_text() or "", ""
    texts = {
        key: (found.closed_text() or "") if (found := entry.get(key)) else ""
        for key in ("source", "target")
    }
    for key in ("uid", "gid", "mode"):
        if found := entry.get(key):
            found.not_carried("a file belongs to the user of its container, with usual rights")
    return texts["source"], texts["target"]
