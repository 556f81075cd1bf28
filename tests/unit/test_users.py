"""Whose numbers an app's users have, by what the machine gives away."""

import pytest
from builders import container

from reconciler.drivers.podman.users import USERS, Users, users_of
from reconciler.errors import DriverRejected

AUTO = container("web", userns="auto")
MUCH = "tester:100000:65536\ncontainers:2147483648:1073741824\n"


def given(etc, users=MUCH, groups=MUCH, *, instance="box", rootful=True):
    for name, text in (("subuid", users), ("subgid", groups)):
        if text is not None:
            (etc / name).write_text(text)
    return users_of(instance, rootful=rootful, etc=etc)


def test_an_app_has_always_the_same_and_another_app_others(tmp_path):
    of = given(tmp_path)
    found = of(AUTO)
    assert found == of(container("web", "other", userns="auto", capabilities=("CHOWN",)))
    assert found != of(container("db", userns="auto"))
    assert found != given(tmp_path, instance="lab")(AUTO)
    assert 2147483648 <= found.first_user <= 2147483648 + 1073741824 - USERS
    assert (found.first_user - 2147483648) % USERS == 0
    assert found.first_user == found.first_group


def test_who_asks_for_none_gets_none_and_an_ordinary_user_needs_none(tmp_path):
    assert given(tmp_path)(container("web")) is None
    assert given(tmp_path, None, None, rootful=False)(AUTO) is None


def test_a_range_is_used_to_its_end_and_not_beyond(tmp_path):
    one = f"containers:300000:{USERS}\n"
    assert given(tmp_path, one, one.replace("300000", "500000"))(AUTO) == Users(300000, 500000)
    nearly_two = f"containers:300000:{2 * USERS - 1}\n"
    for app in "abcdefgh":
        assert given(tmp_path, nearly_two, one)(container(app, userns="auto")).first_user == 300000


@pytest.mark.parametrize(
    ("users", "groups"),
    [
        (None, MUCH),
        (MUCH, None),
        ("", MUCH),
        (MUCH, "tester:100000:65536\n"),
        (f"containers:300000:{USERS - 1}\n", MUCH),
        ("containers:0:1073741824\n", MUCH),  # root's number is nobody's to give
        ("containers:many:1073741824\n", MUCH),
        ("containers:300000\n", MUCH),
    ],
)
def test_without_numbers_nothing_is_made(tmp_path, users, groups):
    with pytest.raises(DriverRejected, match=r"users of its own .* give `containers` no 65536"):
        given(tmp_path, users, groups)(AUTO)
