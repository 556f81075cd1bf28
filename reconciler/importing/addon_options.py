"""
An add-on's options: what a person sets becomes parameters, and all of them one JSON file.

The file is written with one value a line, so that no two braces meet: those mark templates.
"""

import json
import re
from typing import Final

from msgspec import Struct

from reconciler.importing.given import Given, plain
from reconciler.importing.names import parameter_name, unlike
from reconciler.importing.tree import Leaf, Section, listed
from reconciler.importing.work import Work

_FORM: Final = re.compile(r"(?P<kind>[a-z]+)(?:\((?P<inside>.*)\))?(?P<optional>\?)?", re.DOTALL)
_KINDS: Final = {
    "str": "text",
    "match": "text",
    "device": "text",
    "password": "password",
    "bool": "boolean",
    "int": "number",
    "float": "number",
    "port": "number",
    "email": "email",
    "url": "url",
    "list": "select",
}
_BARE: Final = frozenset({"boolean", "number"})
_MARK: Final = re.compile(r'"\\u0000(.*?)\\u0000"')
_IN_A_LIST: Final = (
    "the options within a list, or below another, are not asked",
    "edit them in `files:`, in the content of /data/options.json",
)


class _Options(Struct):
    """The options while they are read; a mark stands for a parameter."""

    work: Work
    values: dict[str, object]
    taken: set[str]


def carry_options(root: Given, work: Work) -> None:
    """Write the parameters, and the file that the add-on reads them from."""
    options, schema = root.get("options"), root.get("schema")
    if schema is not None and not schema.is_mapping:
        schema.neutral()  # the add-on checks its options by itself
        schema = None
    found = _Options(work, {}, set())
    forms = dict(schema.pairs()) if schema is not None else {}
    given = dict(options.pairs()) if options is not None and options.is_mapping else {}
    for name in dict.fromkeys([*given, *forms]):
        _carry_option(name, given.get(name), forms.get(name), found)
    path = options.path if options is not None else ()
    if found.values:
        text = json.dumps(found.values, indent=2, ensure_ascii=False)
        content = _MARK.sub(lambda mark: mark[1].replace('\\"', '"'), text) + "\n"
        leaf = Leaf({"path": "/data/options.json", "content": content}, path)
        listed(work.app, "files").append(leaf)


def _carry_option(name: str, given: Given | None, form: Given | None, found: _Options) -> None:
    value = plain(given.value) if given is not None else None
    written = str(form.value).strip() if form is not None and isinstance(form.value, str) else ""
    match = _FORM.fullmatch(written)
    kind = _KINDS.get(match["kind"]) if match else None
    is_simple = value is None or isinstance(value, str | int | float)
    if match is None or kind is None or not is_simple:
        _carry_whole(name, given, form, found)
        return
    if value is None and match["optional"]:
        _leave_out(given, form)
        return
    if form is not None:
        form.ledger.carried(form.path)
        if match["inside"] and kind != "select":
            form.changed("what the answer may be is not checked any closer than by its type")
    if given is not None:
        given.ledger.carried(given.path)
    entry: Section = {"name": unlike(parameter_name(name), found.taken, "_"), "type": kind}
    found.taken.add(str(entry["name"]))
    if value is None:
        entry["required"] = True
    if kind == "select":
        entry["options"] = (match["inside"] or "").split("|")
    if value is not None:
        entry["default"] = value
    source = given or form
    path = source.path if source is not None else ()
    found.work.asked.parameters[str(entry["name"])] = Leaf(entry, path)
    template = f"{{{{ parameters.{entry['name']} }}}}"
    quotes = "" if kind in _BARE else '"'
    found.values[name] = f"\0{quotes}{template}{quotes}\0"


def _leave_out(given: Given | None, form: Given | None) -> None:
    """Leave out what has no value: the Supervisor leaves it out of the file as well."""
    if given is not None:
        given.neutral()
    if form is not None:
        form.not_carried("an option without a default is left out of the file", _IN_A_LIST[1])


def _carry_whole(name: str, given: Given | None, form: Given | None, found: _Options) -> None:
    """Write the defaults as they are; their form cannot be asked."""
    if given is not None and given.value is not None:
        found.values[name] = given.whole()
    elif given is not None:
        given.neutral()
    if form is None:
        return
    if form.is_mapping or form.is_list:
        form.not_carried(*_IN_A_LIST)
    else:
        form.not_carried("this form of an option is not known", _IN_A_LIST[1])
