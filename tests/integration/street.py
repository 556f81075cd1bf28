"""Apps of a test, each behind a bridge of its own, and whom they reach."""

import json
import subprocess
import threading

from reconciler.model import labels
from reconciler.model.desired import NetworkSpec
from reconciler.model.isolation import Egress, IsolationSpec

SERVE = "mkdir -p /tmp/w; echo ok > /tmp/w/index.html; busybox httpd -p {} -h /tmp/w;"
PORT, OTHER = 8080, 9090


class Street:
    """Two apps, and rules that are changed under them."""

    def __init__(self, machine):
        self.machine = machine
        self.houses = {}

    def build(self, app, *, six=False, ports=()):
        made = NetworkSpec(f"{self.machine.instance}-{app}", app, f"{app}-br")
        if six:
            self.make_network(made)
        self.machine.driver.ensure_network(made)
        doors = SERVE.format(PORT) + SERVE.format(OTHER) + "exec busybox sleep 1000"
        spec = self.machine.script(
            doors,
            app=app,
            container_name=f"{self.machine.instance}-{app}",
            network=made.name,
            ports=ports,
            readonly_root=True,
        )
        self.machine.running(spec)
        self.houses[app] = spec

    def make_network(self, network):
        """As ours, but with addresses of version 6 as well."""
        body = {
            "name": network.name,
            "driver": "bridge",
            "network_interface": network.interface,
            "dns_enabled": True,
            "ipv6_enabled": True,
            "subnets": [{"subnet": "10.66.6.0/24"}, {"subnet": "fd66::/64"}],
            "labels": {
                labels.INSTANCE: self.machine.instance,
                labels.APP: network.app,
            },
        }
        asked = ["curl", "-sf", "--unix-socket", str(self.machine.socket), "-d", json.dumps(body)]
        url = "http://d/v4.0.0/libpod/networks/create"
        subprocess.run([*asked, "-H", "Content-Type: application/json", url], check=True)

    def rules(self, app, egress=Egress.INTERNET, *passages):
        self.machine.driver.isolate(IsolationSpec(app, f"{app}-br", passages, egress))

    def address(self, app, key="IPAddress"):
        inspected = self.machine.inspect(self.houses[app].container_name)
        return next(iter(inspected["NetworkSettings"]["Networks"].values()))[key]

    def run(self, app, *command):
        return subprocess.run(
            ["podman", "exec", self.houses[app].container_name, "busybox", *command],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def reaches(self, app, host, port=PORT):
        """Whether a connection is made; to be refused by who is there would be one, too."""
        told = self.run(app, "nc", "-w", "2", host, str(port))
        return told.returncode == 0 or "refused" in told.stderr

    def which(self, app, hosts, port=PORT):
        """Return those of the hosts that are reached."""
        found = {}
        asked = [
            threading.Thread(target=lambda h=h: found.update({h: self.reaches(app, h, port)}))
            for h in hosts
        ]
        for each in asked:
            each.start()
        for each in asked:
            each.join()
        return {host for host, reached in found.items() if reached}
