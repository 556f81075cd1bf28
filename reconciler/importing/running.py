"""How a process is run: command, user, signals, host names, kernel settings."""

import re
import shlex
from typing import Final

from reconciler.importing.given import Given
from reconciler.importing.health import duration_text
from reconciler.importing.shell import from_variables, is_for_shell, with_marks
from reconciler.importing.tree import Leaf, Section, listed, part
from reconciler.importing.volumes import size_text
from reconciler.importing.work import Work, template_problem

_RESTARTS: Final = {
    "no": "no",
    "never": "no",
    "false": "no",
    "always": "always",
    "true": "always",
    "unless-stopped": "always",
    "on-failure": "on-failure",
}
_PULLS: Final = {
    "always": "always",
    "never": "never",
    "missing": "if-not-present",
    "if_not_present": "if-not-present",
}
_TO_THE_MACHINE: Final = "an app does not reach the machine it runs on by a name"


def carry_words(key: str, given: Given, container: Section, work: Work) -> None:
    """Write a command or an entrypoint: a text, or a list of words."""
    if given.is_empty:
        given.neutral()
        if key == "entrypoint":
            given.not_carried("the entrypoint of the image cannot be taken away, only replaced")
        return
    if given.is_list:
        words = [text for entry in given.entries() if (text := entry.text()) is not None]
    else:
        text = given.text()
        if text is None:
            return
        try:
            words = shlex.split(text)
        except ValueError:
            given.not_carried("a quote in it is not closed", "write it as a list of words")
            return
    problem = template_problem("\n".join(words))
    if problem:
        given.not_carried(problem)
        return
    if is_for_shell(words) and work.asked.found_in(words):
        marked = with_marks(given, words, container, work)
        words = [*words[:-1], from_variables(marked[-1])]
    container[key] = Leaf(work.asked.render_words(words, given.path), given.path)


def carry_command(given: Given, container: Section, work: Work) -> None:
    """Write the command."""
    carry_words("command", given, container, work)


def carry_entrypoint(given: Given, container: Section, work: Work) -> None:
    """Write the entrypoint."""
    carry_words("entrypoint", given, container, work)


def carry_restart(given: Given, container: Section, work: Work) -> None:
    """Write when a process that ended is started again."""
    del work
    text = given.closed_text()
    if text is None:
        return
    word, _, times = text.partition(":")
    restart = _RESTARTS.get(word.strip())
    if restart is None:
        given.not_carried(f"`{text[:40]}` is not a way to restart")
        return
    if times:
        given.changed("the number of tries is chosen by the reconciler, with growing pauses")
    if restart != "always":
        container["restart"] = Leaf(restart, given.path)


def carry_pull_policy(given: Given, container: Section, work: Work) -> None:
    """Write when an image is pulled."""
    del work
    text = given.closed_text()
    word = _PULLS.get(text or "")
    if word is None:
        given.not_carried("this way to pull is not known here")
    elif word != "if-not-present":
        container["pull_policy"] = Leaf(word, given.path)


def carry_hosts(given: Given, container: Section, work: Work) -> None:
    """Write the names that the hosts file has."""
    del work
    for name, address, place in _hosts(given):
        if address in {"host-gateway", "host.docker.internal"}:
            place.not_carried(_TO_THE_MACHINE, "write the machine's address in the network")
        else:
            part(container, "extra_hosts")[name] = Leaf(address.strip("[]"), place.path)


def _hosts(given: Given) -> list[tuple[str, str, Given]]:
    found: list[tuple[str, str, Given]] = []
    if given.is_mapping:
        return [(k, t, v) for k, v in given.pairs() if (t := v.closed_text()) is not None]
    for entry in given.entries():
        text = entry.closed_text()
        if text is None:
            continue
        name, _, address = text.partition("=" if "=" in text else ":")
        found.append((name.strip(), address.strip(), entry))
    return found


def carry_dns(given: Given, container: Section, work: Work) -> None:
    """Write the resolvers: one or several."""
    del work
    for entry in given.entries() if given.is_list else [given]:
        if (text := entry.closed_text()) is not None:
            listed(container, "dns").append(Leaf(text, entry.path))


def carry_ulimits(given: Given, container: Section, work: Work) -> None:
    """Write limits of processes: a number, or a softer and a harder one."""
    del work
    for name, value in given.pairs():
        if not value.is_mapping:
            number = value.integer()
            if number is not None:
                part(container, "ulimits")[name] = Leaf(number, value.path)
            continue
        limits = {k: v.integer() for k, v in value.pairs() if k in {"soft", "hard"}}
        soft = limits.get("soft", limits.get("hard"))
        hard = limits.get("hard", soft)
        if soft is None or hard is None:
            value.not_carried("it has neither a soft nor a hard limit")
            continue
        part(container, "ulimits")[name] = Leaf({"soft": soft, "hard": hard}, value.path)


def carry_sysctls(given: Given, container: Section, work: Work) -> None:
    """Write kernel settings: a mapping, or a list of key=value."""
    del work
    if given.is_mapping:
        pairs = [(k, v.closed_text(), v) for k, v in given.pairs()]
    else:
        texts = [(entry.closed_text(), entry) for entry in given.entries()]
        pairs = [(t.partition("=")[0], t.partition("=")[2], e) for t, e in texts if t]
    for name, value, place in pairs:
        if value is not None:
            part(container, "sysctls")[name] = Leaf(value, place.path)
            if name.startswith("net."):
                place.permission(f"sets the kernel's `{name[:80]}` in its own network")


def carry_shm(given: Given, container: Section, work: Work) -> None:
    """Write the size of the shared memory."""
    del work
    if (text := given.closed_text()) is not None:
        container["shm_size"] = Leaf(size_text(text), given.path)


def carry_grace(given: Given, container: Section, work: Work) -> None:
    """Write how long a stop may take."""
    del work
    if (text := given.closed_text()) is not None:
        container["stop_grace_period"] = Leaf(duration_text(text), given.path)


def carry_user(given: Given, container: Section, work: Work) -> None:
    """Write the user."""
    _carry_text("user", given, container)
    del work


def carry_working_dir(given: Given, container: Section, work: Work) -> None:
    """Write the directory that the process begins in."""
    _carry_text("working_dir", given, container)
    del work


def carry_hostname(given: Given, container: Section, work: Work) -> None:
    """Write the name that the container has for itself."""
    _carry_text("hostname", given, container)
    del work


def carry_stop_signal(given: Given, container: Section, work: Work) -> None:
    """Write the signal that ends the process."""
    _carry_text("stop_signal", given, container)
    del work


def carry_init(given: Given, container: Section, work: Work) -> None:
    """Write whether a small init looks after the processes."""
    del work
    if given.boolean():
        container["init"] = Leaf(value=True, source=given.path)


def carry_read_only(given: Given, container: Section, work: Work) -> None:
    """Write that the root cannot be written."""
    del work
    if given.boolean():
        part(container, "security")["readonly_root"] = Leaf(value=True, source=given.path)


def _carry_text(key: str, given: Given, container: Section) -> None:
    text = given.closed_text()
    if text is None:
        return
    if not text.strip():
        given.ledger.fates.pop(given.path, None)
        given.neutral()
        return
    container[key] = Leaf(re.sub(r"\s+", " ", text.strip()), given.path)
