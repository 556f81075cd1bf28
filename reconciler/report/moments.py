"""Moments as text, RFC 3339 in UTC, and back. Pure."""

from datetime import UTC, datetime


def to_text(moment: datetime) -> str:
    """Return for example `2026-01-01T12:00:00.123Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def from_text(text: object) -> datetime:
    """Return the moment, aware; raises ValueError."""
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment
