"""What an `install:` document changes."""

import pytest

from reconciler.core.filling import FillingError
from reconciler.core.overriding import overridden
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.overrides import OverridesManifest

WEB = {
    "image": "a",
    "environment": {"A": "1", "B": "2"},
    "ports": [
        {"host": 80, "container": 8080},
        {"host": 53, "container": 53, "protocol": "udp", "bind": "0.0.0.0"},
    ],
    "resources": {"memory_limit": "1Gi", "cpu_limit": 1},
}


def containers(**more):
    given = {"id": "a", "name": "A", "containers": more or {"web": WEB}}
    return AppManifest.model_validate(given).container_map()


def changed(over, **more):
    return overridden(containers(**more), OverridesManifest.model_validate(over))


def test_nothing_to_override_is_the_app_as_it_is():
    it = containers()
    assert overridden(it, None) is it


def test_variables_are_added_and_replaced():
    assert dict(changed({"environment": {"B": "3", "C": "4"}})["web"].environment) == {
        "A": "1",
        "B": "3",
        "C": "4",
    }


def test_only_limits_that_are_given_change():
    limits = changed({"resources": {"cpu_limit": 2, "pids_limit": 9}})["web"].resources
    assert (limits.cpu_limit, limits.pids_limit, limits.memory_limit) == (2, 9, 2**30)


def test_a_port_is_published_elsewhere():
    ports = changed(
        {
            "ports": [
                {"container": 8080, "host": 81},
                {"container": 53, "protocol": "udp", "bind": "127.0.0.1"},
            ],
        },
    )["web"].ports
    assert [(p.host, p.bind) for p in ports] == [(81, "127.0.0.1"), (53, "127.0.0.1")]


def test_of_several_containers_main_is_meant_and_others_are_named():
    it = changed(
        {"environment": {"A": "x"}, "containers": {"db": {"environment": {"A": "y"}}}},
        main=WEB,
        db={"image": "b"},
    )
    assert (it["main"].environment["A"], it["db"].environment["A"]) == ("x", "y")


def test_without_main_the_first_is_meant():
    it = changed({"environment": {"A": "x"}}, web=WEB, db={"image": "b"})
    assert (it["web"].environment["A"], dict(it["db"].environment)) == ("x", {})


@pytest.mark.parametrize(
    ("over", "message", "hint"),
    [
        ({"containers": {"db": {}}}, "no container `db` to override", "there are: web"),
        ({"ports": [{"container": 1, "host": 2}]}, "no port 1/tcp", "8080/tcp, 53/udp"),
        ({"ports": [{"container": 53, "host": 2}]}, "no port 53/tcp", "8080/tcp, 53/udp"),
    ],
)
def test_what_is_not_there_is_named(over, message, hint):
    with pytest.raises(FillingError) as caught:
        changed(over)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_an_app_without_ports_has_none_to_override():
    with pytest.raises(FillingError) as caught:
        changed({"ports": [{"container": 1, "host": 2}]}, web={"image": "a"})
    assert caught.value.hint == "there are: none"
