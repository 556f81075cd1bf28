"""What one Podman says in other words than the other, and what it means to us."""

import pytest

from reconciler.drivers.podman.differences import cannot_create, cannot_pull
from reconciler.drivers.podman.refusal import refusal
from reconciler.errors import DriverConflict, DriverRejected, DriverUnavailable


@pytest.mark.parametrize(
    ("status", "cause", "kind"),
    [
        pytest.param(500, "no such image: a:1: image not known", DriverRejected, id="4.3, image"),
        pytest.param(404, "no such image: a:1: image not known", DriverRejected, id="5.4, image"),
        pytest.param(404, "no such volume", DriverConflict, id="anything else is as it was"),
        pytest.param(503, "shutting down", DriverUnavailable, id="nobody there"),
    ],
)
def test_a_refused_create_means_the_same(status, cause, kind):
    told = refusal("create web", status, f'{{"message": "{cause}"}}')
    found = cannot_create(told)
    assert type(found) is kind
    assert str(found) == str(told) == f"cannot create web: {cause}"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, DriverRejected), (500, DriverRejected), (503, DriverUnavailable)],
)
def test_a_pull_that_is_refused_at_once_is_refused(status, kind):
    told = refusal("pull a:1", status, '{"message": "manifest unknown"}')
    found = cannot_pull(told)
    assert type(found) is kind
    assert str(found) == "cannot pull a:1: manifest unknown"
