"""What a manifest says is understood: every short form, every default, every place."""

from types import MappingProxyType

import pytest
from pydantic import BaseModel, ValidationError

from reconciler.model.confinement import CAPABILITIES
from reconciler.model.container import (
    HealthKind,
    MountKind,
    NetworkPolicy,
    Restart,
    StartCondition,
)
from reconciler.model.desired import Requirement
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.complaint import Complaint, complaints_of, shown
from reconciler.model.manifest.endpoint import join_paths
from reconciler.model.manifest.health import HealthCheckManifest
from reconciler.model.manifest.scalars import Number, PlainScalar
from reconciler.sources.manifests import load_documents

HEAD = "app:\n  id: a\n  name: A\n"


def app(text: str) -> AppManifest:
    """Return the app that begins with the usual head."""
    loaded = load_documents((HEAD + text + "\n").encode(), "a.yml")
    assert loaded.problems == ()
    return loaded.documents[0].manifest


def main(text: str):
    """Return the only container, given by lines under `container`."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    return app(f"  container:\n    image: a/b:1\n{lines}").container_map()["main"]


def of_data(**keys: object) -> AppManifest:
    given = {"id": "a", "name": "A", "container": {"image": "a"}}
    return AppManifest.model_validate(given | keys)


def test_the_defaults_are_the_secure_end():
    it = app("  container: {image: a/b}")
    container = it.container_map()["main"]
    assert it.network_policy is NetworkPolicy.ISOLATED
    assert container.security.capabilities == ()
    assert container.security.no_new_privileges is True
    assert container.security.readonly_root is False
    assert container.restart is Restart.ALWAYS
    assert container.pull_policy == "if-not-present"
    assert container.stop_grace_period == 10.0
    assert container.init is False
    assert (container.command, container.entrypoint, container.user) == (None, None, None)
    assert dict(container.environment) == {}
    assert (it.requires(), it.storage(), it.unsupported(), it.warnings()) == ((), None, (), ())


def test_values_stay_as_they_are_written():
    it = app(
        "  version: 1.10\n  container:\n    image: a\n    restart: no\n    user: 1000:1000\n"
        "    environment: {PORT: 8080, FLAG: true, NO: no, V: 1.10, O: 0777, Q: 'yes', E: ''}"
    )
    container = it.container_map()["main"]
    assert it.version == "1.10"
    assert container.restart is Restart.NO
    assert container.user == "1000:1000"
    assert dict(container.environment) == {
        "PORT": "8080",
        "FLAG": "true",
        "NO": "no",
        "V": "1.10",
        "O": "0777",
        "Q": "yes",
        "E": "",
    }


def test_ordinary_data_is_understood_too():
    it = of_data(
        version=1.5,
        environment={"A": 1, "B": True, "C": 0.5},
        ports=[{"host": 80, "container": 80}],
        resources={"cpu_limit": 0.5, "memory_limit": 2**20},
    )
    assert dict(it.environment) == {"A": "1", "B": "true", "C": "0.5"}
    assert it.version == "1.5"
    assert it.resources.cpu_limit == 0.5
    assert AppManifest.model_validate(it) is it
    again = {name: getattr(it.container, name) for name in ("image", "depends_on")}
    assert of_data(container=again).container == it.container
    check = HealthCheckManifest.model_validate({"type": "tcp", "endpoint": 1})
    again = {"type": "tcp", "endpoint": check.endpoint}
    assert HealthCheckManifest.model_validate(again) == check


def test_ordinary_data_with_a_key_that_is_no_text_is_refused():
    with pytest.raises(ValidationError) as error:
        of_data(interfaces={5: {}})
    (complaint,) = complaints_of(error.value)
    assert complaint.path == ("interfaces",)
    assert complaint.message == "the key `5` is not text"


def test_a_copy_in_the_hands_of_others_cannot_be_changed():
    it = app("  container: {image: a, environment: {A: b}}\n  hooks: {post_install: [{a: [b]}]}")
    with pytest.raises(ValidationError):
        it.name = "B"
    for mapping in (it.container_map(), it.container.environment, it.hooks.post_install[0]):
        assert isinstance(mapping, MappingProxyType)
    assert it.hooks.post_install[0]["a"] == ("b",)


def test_hooks_hold_plain_data_only():
    with pytest.raises(ValidationError) as error:
        of_data(hooks={"post_install": [object()]})
    assert complaints_of(error.value)[0].message == "the step is not plain data"


def test_a_command_in_either_form():
    assert main('command: sh -c "echo a b"').command == ("sh", "-c", "echo a b")
    assert main("entrypoint: [/bin/sh, -c, 5]").entrypoint == ("/bin/sh", "-c", "5")


def test_a_build_in_either_form():
    short = app("  container: {build: ./web/}").container.build
    assert (short.context, short.containerfile, dict(short.args)) == ("web", "Containerfile", {})
    whole = app("  container: {build: {context: ., containerfile: a/C, args: {V: 1.10}}}")
    build = whole.container.build
    assert (build.context, build.containerfile, dict(build.args)) == (".", "a/C", {"V": "1.10"})


def test_an_image_has_parts():
    image = main("init: true").image
    assert (image.repository, image.tag) == ("a/b", "1")


def test_mounts():
    first, second, third = main(
        "volumes:\n"
        "  - {name: data, target: /data//x/, options: [ro, Z]}\n"
        "  - {type: bind, source: /srv/a, target: /a}\n"
        "  - {type: tmpfs, target: /t, size: 64Mi}\n"
        "tmpfs: [/run]"
    ).volumes
    assert (first.type, first.name, first.target) == (MountKind.VOLUME, "data", "/data/x")
    assert first.options == ("ro", "Z")
    assert (second.type, second.source) == (MountKind.BIND, "/srv/a")
    assert (third.type, third.size) == (MountKind.TMPFS, 64 * 1024**2)


def test_ports():
    (port,) = main("ports: [{host: 53, container: 5353, protocol: udp, bind: '::0'}]").ports
    assert (port.host, port.container, port.protocol, port.bind) == (53, 5353, "udp", "::")


def test_the_same_port_on_two_addresses_or_protocols_is_two_ports():
    ports = main(
        "ports:\n"
        "  - {host: 53, container: 53, bind: 10.0.0.1}\n"
        "  - {host: 53, container: 53, bind: 10.0.0.2}\n"
        "  - {host: 53, container: 53, protocol: udp, bind: 0.0.0.0}"
    ).ports
    assert len(ports) == 3


def test_names_of_ports_and_networks():
    it = app(
        "  containers:\n"
        "    a: {image: a, network_aliases: [x, a], ports: [{name: p, host: 1, container: 1}]}\n"
        "    b: {image: a, network_aliases: [y], ports: [{name: q, host: 2, container: 1}]}"
    )
    assert it.container_map()["a"].network_aliases == ("x", "a")


def test_capabilities_have_one_spelling():
    capabilities = main("security: {capabilities: [CAP_CHOWN, chown, net_raw]}").security
    assert capabilities.capabilities == ("CHOWN", "NET_RAW")
    assert len(CAPABILITIES) == len(set(CAPABILITIES)) == 41


@pytest.mark.parametrize(
    ("written", "signal"),
    [("term", "SIGTERM"), ("SIGINT", "SIGINT"), ("RTMIN+3", "SIGRTMIN+3"), ("RTMAX", "SIGRTMAX")],
)
def test_a_signal_has_one_spelling(written, signal):
    assert main(f"stop_signal: {written}").stop_signal == signal


def test_waiting_in_either_form():
    it = app(
        "  containers:\n"
        "    job: {image: a, restart: no}\n"
        "    db: {image: a, health_check: {type: exec, command: pg_isready}}\n"
        "    web: {image: a, depends_on: {db: healthy, job: completed}}\n"
        "    top: {image: a, depends_on: [web]}"
    )
    containers = it.container_map()
    assert list(containers) == ["job", "db", "web", "top"]
    assert dict(containers["top"].depends_on) == {"web": StartCondition.STARTED}
    assert dict(containers["web"].depends_on) == {
        "db": StartCondition.HEALTHY,
        "job": StartCondition.COMPLETED,
    }


def test_dependencies_in_every_form():
    it = app(
        "  container: {image: a}\n"
        "  dependencies: [b, {app_id: c, optional: true}, storage: 1Gi, {app_id: d}]"
    )
    assert it.storage() == 1024**3
    assert it.requires() == (Requirement("b"), Requirement("c", optional=True), Requirement("d"))


def test_keys_of_the_app_belong_to_its_only_container():
    it = app(
        "  containers: {web: {image: a}}\n"
        "  environment: {A: b}\n"
        "  ports: [{host: 1, container: 2}]\n"
        "  volumes: [{name: d, target: /d}]\n"
        "  resources: {memory_limit: 1Gi}\n"
        "  security: {capabilities: [CHOWN], user: 1000, network_policy: isolated}\n"
        "  health_check: {type: tcp, port: 2}"
    )
    web = it.container_map()["web"]
    assert dict(web.environment) == {"A": "b"}
    assert web.ports[0].container == 2
    assert web.volumes[0].name == "d"
    assert web.resources.memory_limit == 1024**3
    assert web.security.capabilities == ("CHOWN",)
    assert web.user == "1000"
    assert web.health_check.port == 2


def test_a_network_policy_leaves_the_containers_their_security():
    it = app(
        "  container: {image: a, security: {readonly_root: true}, user: nobody}\n"
        "  security: {network_policy: host}"
    )
    assert it.network_policy is NetworkPolicy.HOST
    assert it.container_map()["main"].security.readonly_root is True
    assert it.container_map()["main"].user == "nobody"


def test_a_network_policy_fits_several_containers():
    it = app("  containers: {a: {image: a}, b: {image: b}}\n  security: {network_policy: none}")
    assert it.network_policy is NetworkPolicy.NONE


def test_what_cannot_be_carried_out_is_named():
    it = app(
        "  containers:\n"
        "    db:\n"
        "      image: a\n"
        "    web: {image: b}\n"
        "  hooks: {post_install: [a]}\n"
        "  connections: [{to: tor, ports: [9050]}]\n"
        "  dependencies: [{app_id: b}, {app_id: c, ports: [80]}]"
    )
    assert it.unsupported() == ("hooks",)
    assert app("  container: {image: a}\n  hooks: {post_install: []}").unsupported() == ()


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("cosign://keyless", ""),
        ("cosign://keyless?issuer=https://i.example&identity=https://f.example/a", ""),
        ("cosign://keyless?identity=me%40f.example", ""),
        ("cosign://keyless?issuer=", "is asked for as"),
        ("cosign://keyless?identity=a&identity=b", "is asked for as"),
        ("cosign://keyless?subject=a", "is asked for as"),
        ("cosign://keyless?nonsense", "is asked for as"),
        ("cosign://keyless/me", "is asked for as"),
        ("cosign://sha256:abc", ""),
    ],
)
def test_a_wish_for_a_keyless_signature(wanted, says):
    written = f"  container: {{image: a, image_signature: '{wanted}'}}"
    problems = load_documents((HEAD + written + "\n").encode(), "a.yml").problems
    assert [says in p.message for p in problems] == ([True] if says else [])


def test_what_has_no_effect_is_said():
    it = app(
        "  container: {image: a, network: n, ports: [{host: 1, container: 1, auth: gated}]}",
    )
    assert it.warnings() == (
        ("container.network", "has no effect: every app has a network of its own"),
        ("container.ports[0].auth", "has no effect: nobody asks for a login yet"),
    )


def test_keys_beginning_with_x_pass_anywhere():
    it = app(
        "  x-note: {a: ~}\n"
        "  container: {image: a, x-b: [c], environment: {x-c: 1, A: b}}\n"
        "  interfaces: {x-d: 1, main: {port: 80, x-e: 2}}"
    )
    assert list(it.interfaces) == ["main"]
    assert dict(it.container.environment) == {"A": "b"}


@pytest.mark.parametrize(
    ("endpoint", "path", "scheme", "port", "asked"),
    [
        ("http://localhost:3742", "/healthz", "http", 3742, "/healthz"),
        ("http://http://localhost:80/", "/healthz", "http", 80, "/healthz"),
        ("https://127.0.0.1", "health", "https", 443, "/health"),
        ("http://[::1]:8080//a//b", "/", "http", 8080, "/a/b"),
        ("localhost:8080/api/", "/healthz", "http", 8080, "/api/healthz"),
        ("localhost:8080/api/", None, "http", 8080, "/api/"),
        ("localhost/healthz", "/healthz", "http", 80, "/healthz"),
        ("LOCALHOST?q=a//b", None, "http", 80, "/?q=a//b"),
        ("main:81", None, "http", 81, "/"),
        ("8080", "/a/?q=//", "http", 8080, "/a/?q=//"),
    ],
)
def test_an_http_check_is_normalised(endpoint, path, scheme, port, asked):
    given = "" if path is None else f", path: '{path}'"
    check = main(f"health_check: {{type: http, endpoint: '{endpoint}'{given}}}").health_check
    assert check.kind is HealthKind.HTTP
    assert (check.scheme, check.port, check.path) == (scheme, port, asked)


def test_paths_join_without_doubling():
    assert join_paths("/a?b=1", "c") == "/a/c"
    assert join_paths("/a?b=1", "") == "/a?b=1"
    assert join_paths("", "") == "/"
    assert join_paths("/a", "/a/") == "/a"
    assert join_paths("/a", "") == "/a"


def test_the_other_checks():
    tcp = main("health_check: {type: tcp, endpoint: tcp://localhost:5432, interval: 1m}")
    assert (tcp.health_check.port, tcp.health_check.scheme) == (5432, "")
    assert tcp.health_check.interval == 60.0
    ours = main("health_check: {type: exec, command: [sh, -c, 'a || b'], retries: 5}").health_check
    assert (ours.command, ours.port, ours.retries) == (("sh", "-c", "a || b"), 0, 5)
    assert (ours.timeout, ours.start_period, ours.host) == (5.0, 0.0, None)
    assert main("hostname: x\nhealth_check: {type: tcp, endpoint: x:1}").health_check.port == 1


@pytest.mark.parametrize(
    ("port", "probed"),
    [
        (80, 80),  # a container port
        (8080, 80),  # a host port: the container port behind it
        (90, 90),  # both: the container port
        (7000, 7000),  # neither: a container port that is not published
        (53, 53),  # a host port of another protocol
    ],
)
def test_the_probe_asks_a_container_port(port, probed):
    ports = main(
        "ports:\n"
        "  - {host: 8080, container: 80}\n"
        "  - {host: 90, container: 91}\n"
        "  - {host: 92, container: 90}\n"
        "  - {host: 53, container: 5353, protocol: udp}"
    ).ports
    check = HealthCheckManifest.model_validate({"type": "tcp", "endpoint": port})
    assert check.probe_port(ports) == probed


class Numbers(BaseModel):
    number: Number
    strange: bytes = b""


def test_a_number_is_decimal():
    assert Numbers.model_validate({"number": 2}).number == 2.0
    assert Numbers.model_validate({"number": PlainScalar("0.5")}).number == 0.5


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2", '"2" is text because of its quotes, where a number is wanted'),
        (PlainScalar("0x10"), "`0x10` is not a number"),
        (True, "`True` is not a number"),
        (None, "nothing is not a number"),
    ],
)
def test_what_is_no_number_is_refused(value, message):
    with pytest.raises(ValidationError) as error:
        Numbers.model_validate({"number": value})
    assert complaints_of(error.value) == [
        Complaint(("number",), message, complaints_of(error.value)[0].hint),
    ]


def test_words_of_others_never_reach_a_person():
    with pytest.raises(ValidationError) as error:
        Numbers.model_validate({"number": 1, "strange": 5})
    assert complaints_of(error.value) == [Complaint(("strange",), "this cannot stand here")]


def test_a_shown_value_is_short_and_printable():
    assert shown("a" * 100) == "`" + "a" * 60 + "…`"
    assert shown("a\x1b") == "'a\\x1b'"


# What a container gets of the machine


@pytest.mark.parametrize(
    ("written", "path", "target", "permissions", "optional"),
    [
        ("/dev/a", "/dev/a", None, "rwm", False),
        ("/dev/a:/dev/b", "/dev/a", "/dev/b", "rwm", False),
        ("/dev/a:/dev/b:rw", "/dev/a", "/dev/b", "rw", False),
        ("/dev/a:rw", "/dev/a", None, "rw", False),
        ("{path: /dev/a, optional: true}", "/dev/a", None, "rwm", True),
    ],
)
def test_a_device_in_every_form(written, path, target, permissions, optional):
    (it,) = main(f"devices: [{written}]").devices
    assert (it.path, it.target, it.permissions, it.optional) == (
        path,
        target,
        permissions,
        optional,
    )


def test_a_device_may_stand_at_the_app():
    it = app("  container: {image: a}\n  devices: [/dev/a]")
    assert [d.path for d in it.container_map()["main"].devices] == ["/dev/a"]


def test_limits_in_every_form():
    it = main("ulimits: {nofile: 5, RLIMIT_NPROC: {soft: 1, hard: 2}, memlock: unlimited}").ulimits
    assert {name: (u.soft, u.hard) for name, u in it.items()} == {
        "nofile": (5, 5),
        "nproc": (1, 2),
        "memlock": (-1, -1),
    }


@pytest.mark.parametrize("written", ["{net.core.somaxconn: 512}", "[net.core.somaxconn=512]"])
def test_kernel_settings_in_either_form(written):
    assert dict(main(f"sysctls: {written}").sysctls) == {"net.core.somaxconn": "512"}


@pytest.mark.parametrize(
    "written", ['{nas: "fd00::1", x-note: why}', '["nas:fd00::1"]', '["nas:[fd00::1]"]']
)
def test_hosts_in_either_form(written):
    assert dict(main(f"extra_hosts: {written}").extra_hosts) == {"nas": "fd00::1"}


def test_what_the_operator_made_can_be_joined():
    it = app("  container: {image: a}\n  security: {network_policy: lan}")
    assert (it.network_policy, it.network_name) == (NetworkPolicy.NAMED, "lan")


def test_even_a_network_that_is_called_named():
    it = app("  container: {image: a}\n  security: {network_policy: named}")
    assert (it.network_policy, it.network_name) == (NetworkPolicy.NAMED, "named")


def test_users_of_its_own_are_the_whole_apps():
    it = app("  container: {image: a}\n  security: {userns: auto, readonly_root: true}")
    assert it.security.userns == "auto"
    assert it.container_map()["main"].security.readonly_root
    several = "  containers: {a: {image: a}, b: {image: b}}\n  security: {userns: auto}"
    assert app(several).security.userns == "auto"
    assert app("  container: {image: a}").security.userns == "host"


@pytest.mark.parametrize("written", ["default", "required", "unconfined", "mine", "/usr/bin/a"])
def test_an_apparmor_profile_is_made_or_named(written):
    it = app(f"  container: {{image: a, security: {{apparmor_profile: {written}}}}}")
    assert it.unsupported() == ()
    assert it.container_map()["main"].security.apparmor_profile == written


def test_the_hash_of_a_password_may_be_asked_for():
    it = app(
        "  container: {image: a, environment: {A: '{{ secrets.p.hash }}', B: x}}\n"
        "  generated_secrets: [{name: p, kind: bcrypt}]"
    )
    assert dict(it.container_map()["main"].environment)["A"] == "{{ secrets.p.hash }}"


def test_a_seccomp_profile_of_this_machine():
    it = main("security: {seccomp_profile: /etc//profiles/web.json}")
    assert it.security.seccomp_profile == "/etc/profiles/web.json"
    assert main("security: {seccomp_profile: strict}").security.seccomp_profile == "strict"


def test_a_policy_of_everybody_is_no_name():
    it = app("  container: {image: a}\n  security: {network_policy: none}")
    assert it.network_name is None


@pytest.mark.parametrize(
    ("key", "entry"), [("sysctls", "kernel.x{n}: 1"), ("extra_hosts", "h{n}: nowhere")]
)
def test_of_very_many_mistakes_the_first_are_told(key, entry):
    entries = ", ".join(entry.format(n=n) for n in range(300))
    text = f"{HEAD}  container:\n    image: a\n    {key}: {{{entries}}}\n"
    problems = load_documents(text.encode(), "a.yml").problems
    assert 50 <= len(problems) <= 101


def test_what_cannot_be_enforced_yet_holds_and_what_only_cares_is_said():
    it = app(
        "  container: {image: a, resources: {disk_limit: 10Gi}}\n"
        "  network: {egress: none}\n"
        "  hooks: {post_install: [{copy: {a: [1]}}]}\n"
        "  update: {strategy: replace, rollback: true, health_deadline: 60s}\n"
        "  backup: {exclude: [cache]}"
    )
    assert it.unsupported() == ("hooks",)
    assert [path for path, _ in it.warnings()] == ["backup"]
    plain = app("  container: {image: a}\n  network: {egress: lan}\n  update: {}")
    assert (plain.unsupported(), plain.warnings()) == ((), ())


@pytest.mark.parametrize(
    ("policy", "egress", "fits"),
    [
        ("host", "internet", True),
        ("host", "none", False),
        ("mine", "lan", False),
        ("none", "none", True),
        ("none", "lan", False),
        ("isolated", "none", True),
    ],
)
def test_a_way_out_is_that_of_a_network_of_the_apps_own(policy, egress, fits):
    text = (
        f"{HEAD}  container: {{image: a}}\n  security: {{network_policy: {policy}}}\n"
        f"  network: {{egress: {egress}}}\n"
    )
    problems = load_documents(text.encode(), "a.yml").problems
    words = [f"`egress: {egress}` needs a network of the app's own, and this has none"]
    assert [p.message.partition(": ")[2] for p in problems] == ([] if fits else words)


def test_what_reads_alone_may_hand_over():
    it = app(
        "  container: {image: a, tmpfs: [/tmp]}\n"
        "  ports: [{host: 80, container: 8080}]\n"
        "  volumes:\n"
        "    - {name: pages, target: /srv, options: [ro]}\n"
        "    - {type: tmpfs, target: /cache}\n"
        "  update: {strategy: blue-green}"
    )
    assert it.unsupported() == ()
