"""A status in plain columns: what a table of rich's would show, in a fifth of the time."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import zip_longest
from unicodedata import east_asian_width

import typer

from reconciler.cli.rows import HEADER, Cell, Row, Section, app_sections, status_rows, troubles
from reconciler.model.status import AppStatus, Status

_GAP = "  "


def sheet(status: Status, now: datetime, width: int) -> str | None:
    """Return the apps, then what a person has to mend; None where a line is wider than `width`."""
    sections = [Section(HEADER, status_rows(status, now))]
    return _sheet(sections, list(troubles(status)), width, nothing="No apps.")


def app_sheet(app: AppStatus, status: Status, now: datetime, width: int) -> str | None:
    """Return all there is on one app; None where a line is wider than `width`."""
    return _sheet(app_sections(app, now), list(troubles(status, app.id)), width)


def _sheet(
    sections: Iterable[Section], told: list[Cell], width: int, nothing: str = ""
) -> str | None:
    parts = [_rows(section, nothing) for section in sections]
    plain = [line for rows in parts for line in _lines(rows, styled=False)]
    if any(_wide(line) > width for line in (*plain, *(cell.text for cell in told))):
        return None
    shown = [[*_lines(rows, styled=True)] for rows in parts]
    shown += [[_styled(cell.text, cell.colour) for cell in told]] if told else []
    return "\n\n".join("\n".join(lines) for lines in shown)


def _rows(section: Section, nothing: str) -> tuple[Row, ...]:
    if nothing and not section.rows:
        return ((Cell(nothing),),)
    header = tuple(Cell(word, "bold") for word in section.header)
    return (header, *section.rows) if header else section.rows


def _lines(rows: Iterable[Row], *, styled: bool) -> Iterator[str]:
    cells = [[cell.text.split("\n") for cell in row] for row in rows]
    widths = [
        max(_wide(line) for lines in column for line in lines)
        for column in zip(*cells, strict=True)
    ]
    for row, split in zip(rows, cells, strict=True):
        for texts in zip_longest(*split, fillvalue=""):
            parts = [
                (_styled(text, cell.colour) if styled else text) + " " * (wide - _wide(text))
                for text, cell, wide in zip(texts, row, widths, strict=True)
            ]
            yield _GAP.join(parts).rstrip()


def _styled(text: str, colour: str) -> str:
    match colour:
        case "" | "none":
            return text
        case "bold":
            return typer.style(text, bold=True) if text else ""
        case "dim":
            return typer.style(text, dim=True) if text else ""
        case _:
            return typer.style(text, colour) if text else ""


def _wide(text: str) -> int:
    return sum(2 if east_asian_width(c) in {"W", "F"} else 1 for c in text)
