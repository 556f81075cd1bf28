"""A bridge keeps its hardware address, so that containers keep their gateway."""

import os
from pathlib import Path

import pytest

from reconciler.drivers.podman.host import pin_bridge_address

pytestmark = [
    pytest.mark.podman,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has bridges of the machine's own"),
]
SET_BY_US = "3"  # NET_ADDR_SET: the kernel no longer follows the ports


def test_a_pinned_bridge_keeps_the_address_it_has(podman_cli, busybox_image):
    podman_cli("network", "create", "pinned")
    bridge = podman_cli("network", "inspect", "--format={{.NetworkInterface}}", "pinned")
    assert not pin_bridge_address(bridge)  # it comes with the first container
    try:
        podman_cli("run", "-d", "--name=p1", "--network=pinned", busybox_image, "sleep", "60")
        shown = Path("/sys/class/net", bridge)
        before = (shown / "address").read_text()
        assert pin_bridge_address(bridge)
        assert (shown / "addr_assign_type").read_text().strip() == SET_BY_US
        assert (shown / "address").read_text() == before
    finally:
        podman_cli("network", "rm", "--force", "--time=0", "pinned")
