"""Which messages of the kernel are worth a look."""

import struct

import pytest

from reconciler.drivers.podman.network_watch import tells_news

NEW, DELETED, ALL = 16, 17, 0xFFFFFFFF


def message(kind, changed):
    return struct.pack("=IHHII", 32, kind, 0, 0, 0) + struct.pack("=BxHiII", 0, 1, 7, 1, changed)


@pytest.mark.parametrize(
    ("why", "told", "news"),
    [
        ("a device came", message(NEW, ALL), True),
        ("one went", message(DELETED, 0), True),
        ("a wireless card scanned", message(NEW, 0), False),
        ("something was missed", b"?", True),
    ],
)
def test_news(why, told, news):
    assert tells_news(told) is news, why
