"""Log lines: words for people at a terminal, JSON for machines. The only importer of structlog."""

import logging
import sys
from typing import Any, TextIO

import structlog

from reconciler.report.event import Event, Level
from reconciler.report.moments import to_text

_LEVELS = {
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}


def configure(format: str = "auto", stream: TextIO | None = None) -> "LogSink":  # noqa: A002 - the setting's name
    """
    Return the sink that writes to `stream` (standard error).

    `format` is console, json, or auto: console where somebody looks, JSON where a machine does.
    """
    target = stream or sys.stderr
    console = format == "console" or (format == "auto" and target.isatty())
    logger = structlog.wrap_logger(
        structlog.WriteLogger(target),
        processors=[
            structlog.processors.add_log_level,
            _stamp_console if console else _stamp_machine,
            *_last(target, console=console),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    return LogSink(logger)


class LogSink:
    """
    Writes each event once. A log that cannot be written to (a closed pipe) stops nothing.

    Only words of events come here: no environment of a container, no secret.
    """

    def __init__(self, logger: Any) -> None:  # noqa: ANN401 - structlog's loggers are dynamic
        self._logger = logger

    def told(self, events: tuple[Event, ...]) -> None:
        """Write a line for each event."""
        for event in events:
            fields = {"app": event.app} if event.app else {}
            fields |= {"kind": str(event.kind), "reason": str(event.reason)}
            self._write(_LEVELS[event.level], event.message, at=event.at, **fields)

    def say(self, message: str, **fields: object) -> None:
        """Write what concerns the loop itself."""
        self._write(logging.INFO, message, **fields)

    def warn(self, message: str, **fields: object) -> None:
        """Write what the operator should know."""
        self._write(logging.WARNING, message, **fields)

    def bug(self, error: BaseException) -> None:
        """Write a mistake of ours, with where it happened: it is meant to be reported."""
        self._write(
            logging.ERROR,
            "an unexpected error; the loop goes on, please report it",
            exc_info=(type(error), error, error.__traceback__),
        )

    def _write(self, level: int, message: str, **fields: object) -> None:
        try:
            self._logger.log(level, message, **fields)
        except (OSError, ValueError):
            return


def _last(target: TextIO, *, console: bool) -> list[Any]:
    if console:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _stamp_console(_logger: object, _method: str, fields: Any) -> Any:  # noqa: ANN401 - structlog's processors
    """Show the time of the day, local to who reads it."""
    at = fields.pop("at", None)
    if at is None:
        return structlog.processors.TimeStamper("%H:%M:%S", utc=False)(_logger, _method, fields)
    fields["timestamp"] = at.astimezone().strftime("%H:%M:%S")
    return fields


def _stamp_machine(_logger: object, _method: str, fields: Any) -> Any:  # noqa: ANN401 - structlog's processors
    """Give the moment of the event, not of the line."""
    at = fields.pop("at", None)
    if at is None:
        return structlog.processors.TimeStamper("iso", utc=True)(_logger, _method, fields)
    fields["timestamp"] = to_text(at)
    return fields
