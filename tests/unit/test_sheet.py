"""Plain columns say what the table of rich's says, where no line has to be folded."""

import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from reconciler.cli.sheet import app_sheet, sheet
from reconciler.cli.tables import app_view, status_table
from reconciler.model.change import Action
from reconciler.model.health import HealthState
from reconciler.model.origin import Origin, Problem
from reconciler.model.status import (
    AppStatus,
    Condition,
    ConditionType,
    ContainerStatus,
    PassStatus,
    Status,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WIDTH = 160


def unstyle(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def app(name, *, images=("a/b:1",), message="", true=ConditionType.READY, **more):
    containers = tuple(
        ContainerStatus(
            "main", "id", image, "running", NOW - timedelta(minutes=3), HealthState.HEALTHY
        )
        for image in images
    )
    conditions = tuple(Condition(k, k is true, "Because", "", NOW) for k in ConditionType)
    return AppStatus(
        name,
        "1",
        Action.KEEP,
        "Because",
        message,
        conditions,
        "d",
        HealthState.HEALTHY,
        containers,
        (),
        **more,
    )


def status(*apps, **more):
    return Status(apps, PassStatus(1, 0.1, NOW, more.pop("error", "")), **more)


CASES = {
    "nothing": status(),
    "one app": status(app("web")),
    "two images, the second in a line of its own": status(app("web", images=("a", "b")), app("x")),
    "wide letters": status(app("web", message="日本語"), app("db", message="x")),
    "troubles": status(
        app("web", true=ConditionType.STALLED, message="two\nlines"),
        problems=(Problem(Origin("a.yml", 1, 2), "cannot use it", "mend it", "web"),),
        notices=("polled",),
        error="cannot reach Podman",
    ),
    "for another": status(app("db", requested=False, required_by=("web",))),
}


@pytest.mark.parametrize("why", CASES)
def test_columns_and_table_say_the_same(why):
    page = io.StringIO()
    Console(file=page, width=WIDTH, highlight=False).print(status_table(CASES[why], NOW))
    table = "\n".join(line.rstrip() for line in page.getvalue().splitlines())
    assert unstyle(sheet(CASES[why], NOW, WIDTH)) == table.rstrip("\n"), why


@pytest.mark.parametrize("why", [why for why in CASES if CASES[why].apps])
def test_columns_and_table_say_the_same_of_one_app(why):
    app, page = CASES[why].apps[0], io.StringIO()
    console = Console(file=page, width=WIDTH, highlight=False)
    console.print(app_view(app, CASES[why], NOW))
    table = "\n".join(line.rstrip() for line in page.getvalue().splitlines())
    assert unstyle(app_sheet(app, CASES[why], NOW, WIDTH)) == table.rstrip("\n"), why
    assert app_sheet(app, CASES[why], NOW, 20) is None


def test_where_a_line_is_too_wide_the_table_folds_it():
    told = status(app("web", message="x" * 100))
    assert sheet(told, NOW, 80) is None
    assert "x" * 100 in sheet(told, NOW, 160)


def test_colours_are_those_of_the_table():
    text = sheet(CASES["troubles"], NOW, WIDTH)
    assert "\x1b[31mStalled Because\x1b[0m" in text
    assert "\x1b[33mpolled\x1b[0m" in text
