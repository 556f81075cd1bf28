"""From documents to specs: what is wanted, what cannot be, and what every container is called."""

import os
from datetime import timedelta

import pytest
from builders import NOW
from msgspec.structs import replace
from simulation import ManualClock

from reconciler.core.approvals import approved
from reconciler.core.resolve import Platform, resolve
from reconciler.model.container import (
    DeviceSpec,
    FileSpec,
    MountKind,
    MountSpec,
    NetworkPolicy,
    PullPolicy,
    Resources,
    ShareSpec,
    UlimitSpec,
)
from reconciler.model.desired import Connection
from reconciler.model.manifest.app import AppManifest
from reconciler.model.manifest.approval import ApproveManifest
from reconciler.model.manifest.document import Document
from reconciler.model.manifest.verbs import InstallManifest, SuspendManifest
from reconciler.model.origin import Origin, Problem
from reconciler.model.permission import parse_permission, permission_hash
from reconciler.model.secret import SecretRef
from reconciler.model.snapshot import BuildContext, Snapshot
from reconciler.sources.directory import DirectorySource

IMAGE = "localhost/test:1"
NOTHING = Snapshot()


def document(app, *, file=None, line=1, **more):
    manifest = {"id": app, "name": app, **({"container": {"image": IMAGE}} | more)}
    if "containers" in more:
        del manifest["container"]
    return Document(AppManifest.model_validate(manifest), Origin(file or f"{app}.yml", line, 1))


def install(app, *, file=None, places=None, **more):
    made = InstallManifest.model_validate({"app": app, **more})
    origin = Origin(file or f"{app}.install.yml", 1, 1)
    return Document(made, origin, places=places or {})


def suspend(app):
    return Document(SuspendManifest(app=app), Origin(f"{app}.suspend.yml", 1, 1))


def approve(app, *texts, file=None):
    granted = [parse_permission(text) for text in texts]
    given = {"app": app, "by": "ada", "at": "2026-11-24T10:00:00Z", "permissions": list(texts)}
    made = ApproveManifest.model_validate(given | {"hash": permission_hash(granted)})
    return Document(made, Origin(file or f"{app}.approve.yml", 1, 1))


def holding(*documents, **more):
    return Snapshot(documents=documents, **more)


def resolved(snapshot, catalogue=NOTHING, **platform):
    return resolve(snapshot, catalogue, Platform(**platform))


def spec(app="web", *, contexts=None, platform=None, **more):
    """The spec of one app."""
    snapshot = holding(document(app, **more), contexts=contexts or {})
    found = resolve(snapshot, NOTHING, platform or Platform())
    assert not found.problems, found.problems
    return found.apps[app]


def only(app="web", **more):
    """The spec of its only container."""
    return spec(app, **more).containers[0]


# Which apps


def test_an_app_twice_is_neither_of_both_and_both_places_are_named():
    both = holding(document("web", file="a.yml", line=3), document("web", file="b.yml", line=7))
    found = resolved(both)
    assert found.apps == {}
    told = str(found.broken["web"])
    assert "a.yml:3:1" in told
    assert "b.yml:7:1" in told
    assert "one place only" in told
    assert found.problems == (found.broken["web"],)


def test_an_app_that_is_written_and_installed_is_twice_there():
    found = resolved(holding(document("web"), install("web")), holding(document("web")))
    assert set(found.broken) == {"web"}


def test_an_installed_app_is_that_of_the_catalogue_and_comes_from_the_file_that_installs_it():
    found = resolved(
        holding(install("web", file="box.yml")),
        holding(document("web", file="apps/web/manifest.yml", version="1.2.3")),
    )
    web = found.apps["web"]
    assert (web.version, web.origin.file) == ("1.2.3", "box.yml")
    assert [c.source for c in web.containers] == ["box.yml"]
    assert not web.suspended


def test_what_is_only_in_the_catalogue_is_not_wanted():
    found = resolved(NOTHING, holding(document("web")))
    assert (found.apps, found.broken) == ({}, {})


@pytest.mark.parametrize(
    ("why", "catalogue", "words"),
    [
        ("nobody knows it", NOTHING, ("it is not in the catalogue", "write an `app:` document")),
        (
            "somebody mistyped it",
            holding(document("webb")),
            ("it is not in the catalogue", "did you mean `webb`?"),
        ),
        (
            "its entry is broken",
            Snapshot(problems=(Problem(Origin("apps/web/manifest.yml", 4, 2), "no", "", "web"),)),
            ("its catalogue entry is broken", "apps/web/manifest.yml:4:2: no"),
        ),
        (
            "its entry is there twice",
            holding(document("web", file="1.yml"), document("web", file="2.yml")),
            ("its catalogue entry is broken", "1.yml:1:1 and 2.yml:1:1"),
        ),
    ],
)
def test_what_cannot_be_installed_is_broken_and_the_others_are_not(why, catalogue, words):
    found = resolved(holding(install("web"), document("db")), catalogue)
    assert list(found.apps) == ["db"], why
    for word in words:
        assert word in str(found.broken["web"])
    assert found.broken["web"] in found.problems


def test_a_catalogue_that_cannot_be_read_is_told_only_where_somebody_installs_from_it():
    gone = Snapshot(problems=(Problem(Origin("apps"), "cannot read apps"),), complete=False)
    assert resolved(holding(document("web")), gone).problems == ()
    assert "cannot read apps" in str(resolved(holding(install("web")), gone).problems)


def test_a_broken_entry_of_the_catalogue_is_known_by_its_last_good_version():
    problem = Problem(Origin("apps/web/manifest.yml", 4, 2), "no", "", "web")
    entry = document("web", file="apps/web/manifest.yml")
    catalogue = Snapshot(problems=(problem,), last_good=(entry, suspend("web"), entry))
    web = resolved(holding(install("web")), catalogue).apps["web"]
    assert web.stale == problem


def test_in_a_catalogue_only_apps_are_looked_for():
    found = resolved(holding(install("web")), holding(install("web", file="odd.yml")))
    assert "not in the catalogue" in str(found.broken["web"])


# Suspended


@pytest.mark.parametrize(
    "wanted",
    [
        holding(document("web"), suspend("web")),
        holding(install("web", suspend=True)),
        holding(install("web"), suspend("web")),
        Snapshot(documents=(document("web"),), last_good=(suspend("web"),)),
        Snapshot(last_good=(document("web"), suspend("web"))),
    ],
)
def test_an_app_is_suspended_by_a_document_of_its_own_or_where_it_is_installed(wanted):
    assert resolved(wanted, holding(document("web"))).apps["web"].suspended


def test_to_suspend_what_is_not_desired_is_a_mistake():
    found = resolved(holding(document("web"), suspend("wbe")))
    assert found.apps["web"].suspended is False
    assert [str(p) for p in found.problems] == [
        "wbe.suspend.yml:1:1: suspends `wbe`, which is not desired (remove this document)"
    ]


@pytest.mark.parametrize(
    "wanted",
    [
        holding(document("web"), approve("web", "network host", "capability CHOWN")),
        Snapshot(
            documents=(document("web"),),
            last_good=(approve("web", "network host", "capability CHOWN"),),
        ),
    ],
)
def test_an_approval_is_a_document_and_its_last_good_version_counts(wanted):
    found = resolved(wanted)
    assert found.problems == ()
    assert [p.text for p in approved(found, "web")] == ["capability CHOWN", "network host"]
    assert approved(found, "db") == ()


def test_of_two_approvals_of_one_app_neither_counts_and_both_are_named():
    one = approve("web", "network host", file="b.yml")
    found = resolved(holding(document("web"), one, approve("web", "privileged", file="a.yml")))
    assert approved(found, "web") == ()
    (problem,) = found.problems
    assert str(problem) == (
        "b.yml:1:1: cannot use the approvals of `web`: there are two, in a.yml:1:1 and b.yml:1:1"
        " (remove one of them)"
    )


def test_to_approve_what_is_not_desired_is_a_mistake():
    found = resolved(holding(document("web"), approve("wbe", "network host")))
    assert [str(p) for p in found.problems] == [
        "wbe.approve.yml:1:1: approves `wbe`, which is not desired (remove this document)"
    ]


def test_to_suspend_what_is_broken_is_none():
    problem = Problem(Origin("web.yml", 1, 1), "no", "", "web")
    found = resolved(holding(suspend("web"), problems=(problem,)))
    assert found.problems == (problem,)


# Unreadable


def test_a_broken_file_keeps_its_apps_at_the_last_good_version_and_says_why():
    own = Problem(Origin("two.yml", 9, 3), "unknown key", "", "web")
    other = Problem(Origin("two.yml", 2, 3), "bad size", "", "db")
    kept = (document("web", file="two.yml"), document("db", file="two.yml"))
    found = resolved(Snapshot(problems=(other, own), last_good=kept))
    assert (found.apps["web"].stale, found.apps["db"].stale) == (own, other)
    assert found.broken == {}
    assert found.broken_files == {"two.yml": other}


@pytest.mark.parametrize(
    ("why", "problems", "told"),
    [
        (
            "the file cannot be parsed at all",
            (Problem(Origin("web.yml", 3, 1), "no YAML"),),
            "web.yml:3:1: no YAML",
        ),
        (
            "the whole folder is away",
            (Problem(Origin("/desired"), "cannot read it"),),
            "/desired: cannot read it",
        ),
        ("nobody says", (), "web.yml:1:1: cannot be read now"),
    ],
)
def test_why_an_app_is_stale(why, problems, told):
    found = resolved(Snapshot(problems=problems, last_good=(document("web"),)))
    assert str(found.apps["web"].stale) == told, why


def test_a_good_document_elsewhere_wins_over_a_last_good_one():
    found = resolved(
        Snapshot(documents=(document("web", file="new.yml"),), last_good=(document("web"),))
    )
    assert found.apps["web"].stale is None
    assert found.apps["web"].origin.file == "new.yml"


def test_an_app_that_was_never_good_is_broken():
    problem = Problem(Origin("web.yml", 3, 1), "no", "", "web")
    found = resolved(Snapshot(problems=(problem, replace(problem, message="also no"))))
    assert found.broken == {"web": problem}
    assert len(found.problems) == 2


def test_an_incomplete_folder_is_told_to_be_so():
    found = resolved(Snapshot(complete=False, incomplete_because="cannot read it"))
    assert (found.complete, found.incomplete_because) == (False, "cannot read it")


def test_a_file_that_is_still_being_written_may_hold_any_app(tmp_path):
    """At its start a loop has nothing else to go by; what runs must not be taken for unwanted."""
    (tmp_path / "web.yml").write_text("app: {id: web, name: web")
    text = f'{{"app": {{"id": "db", "name": "db", "container": {{"image": "{IMAGE}"}}}}}}'
    (tmp_path / "db.yml").write_text(text)
    clock = ManualClock()
    begun = clock.now().timestamp()
    os.utime(tmp_path / "db.yml", (begun - 60, begun - 60))
    os.utime(tmp_path / "web.yml", (begun + 60, begun + 60))
    source = DirectorySource(tmp_path, clock)
    found = resolved(source.read())
    assert list(found.apps) == ["db"]
    assert not found.complete
    assert found.incomplete_because == f"{tmp_path / 'web.yml'} is being written"
    (tmp_path / "web.yml").write_text(text.replace("db", "web"))
    os.utime(tmp_path / "web.yml", (begun + 60, begun + 60))
    source.read()
    clock.advance(1)
    found = resolved(source.read())
    assert (sorted(found.apps), found.complete, found.incomplete_because) == (
        ["db", "web"],
        True,
        "",
    )


def test_the_later_of_both_files_tells_since_when_an_app_is_as_it_is():
    later = NOW + timedelta(minutes=5)
    wanted = replace(holding(install("web")), modified={"web.install.yml": NOW})
    catalogue = replace(holding(document("web")), modified={"web.yml": later})
    assert resolved(wanted, catalogue).apps["web"].manifest_changed_at == later
    assert resolved(holding(document("web"))).apps["web"].manifest_changed_at is None


# Names


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("grafana/grafana:11.0.0", "docker.io/grafana/grafana:11.0.0"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
        ("localhost/a:1", "localhost/a:1"),
        ("ghcr.io/a/b@sha256:" + "a" * 64, "ghcr.io/a/b@sha256:" + "a" * 64),
    ],
)
def test_the_name_of_an_image_is_completed_since_what_a_short_one_means_is_the_engines(
    written, full
):
    assert only(container={"image": written}).image == full


def test_two_ways_to_write_an_image_are_one_container():
    long = only(container={"image": "docker.io/library/nginx:latest"})
    assert only(container={"image": "nginx"}).digest == long.digest


def test_names_carry_instance_app_container_and_the_beginning_of_the_digest():
    web = spec(containers={"main": {"image": IMAGE}, "db": {"image": IMAGE}})
    for c in web.containers:
        assert c.container_name == f"archipelago-web-{c.name}-{c.digest.partition('-')[2][:8]}"
    changed = only(environment={"A": "1"})
    assert changed.container_name != only().container_name
    assert web.network.name == "archipelago-web"


def test_the_longest_names_fit_the_limits_of_engine_and_kernel():
    platform = Platform(instance="i" * 32)
    name = "a" * 63
    web = spec(name, platform=platform, containers={"c" * 32: {"image": IMAGE}})
    assert len(web.network.interface) <= 15, "the kernel's limit of an interface's name"
    assert len(web.containers[0].container_name) <= 255


def test_two_instances_share_no_name():
    one, other = only(), only(platform=Platform(instance="second"))
    assert one.container_name != other.container_name
    assert spec().network.interface != spec(platform=Platform(instance="second")).network.interface


def test_volumes_are_named_by_app_and_are_told_once_for_all_containers():
    volume = {"volumes": [{"name": "data", "target": "/data"}], "image": IMAGE}
    web = spec(containers={"a": volume, "b": volume})
    assert [v.name for v in web.volumes] == ["archipelago-web-data"]
    assert {m.source for c in web.containers for m in c.mounts} == {"archipelago-web-data"}


def test_host_directories_and_scratch_space_are_no_volumes():
    web = spec(
        volumes=[{"type": "bind", "source": "/srv/web", "target": "/srv"}],
        container={"image": IMAGE, "tmpfs": ["/tmp"]},
    )
    assert web.volumes == ()
    assert [(m.kind, m.source, m.target) for m in web.containers[0].mounts] == [
        (MountKind.BIND, "/srv/web", "/srv"),
        (MountKind.TMPFS, "", "/tmp"),
    ]


@pytest.mark.parametrize("policy", ["none", "host"])
def test_without_a_network_of_its_own_there_is_none_to_make(policy):
    web = spec(security={"network_policy": policy})
    assert web.network is None
    assert web.containers[0].network is None
    assert web.containers[0].network_policy is NetworkPolicy(policy)


def test_a_network_of_the_operators_is_joined_and_not_made():
    web = spec(security={"network_policy": "lan"})
    assert web.network is None
    assert web.containers[0].network == "lan"
    assert web.containers[0].network_policy is NetworkPolicy.NAMED


def test_what_a_container_gets_of_the_machine_is_sorted_and_complete():
    (main,) = spec(
        container={
            "image": IMAGE,
            "devices": ["/dev/b", {"path": "/dev/a", "target": "/dev/z", "optional": True}],
            "ulimits": {"nproc": 2, "nofile": {"soft": 1, "hard": 2}},
            "sysctls": {"net.b": "2", "net.a": "1"},
            "extra_hosts": {"b": "10.0.0.2", "a": "10.0.0.1"},
            "dns": ["10.0.0.9", "10.0.0.8"],
            "shm_size": "1Mi",
            "security": {"privileged": True, "seccomp_profile": "unconfined"},
        },
    ).containers
    assert main.devices == (
        DeviceSpec("/dev/b", "/dev/b"),
        DeviceSpec("/dev/a", "/dev/z", optional=True),
    )
    assert main.ulimits == (UlimitSpec("nofile", 1, 2), UlimitSpec("nproc", 2, 2))
    assert main.sysctls == (("net.a", "1"), ("net.b", "2"))
    assert main.extra_hosts == (("a", "10.0.0.1"), ("b", "10.0.0.2"))
    assert (main.dns, main.shm_size) == (("10.0.0.9", "10.0.0.8"), 1 << 20)
    assert (main.privileged, main.seccomp_profile) == (True, "unconfined")


# Answers, secrets and files

ASKING = {
    "parameters": [{"name": "TITLE", "required": True}, {"name": "PASS", "type": "random"}],
    "generated_secrets": [{"name": "key"}],
    "volumes": [{"name": "data", "target": "/data"}, {"name": "deep", "target": "/data/deep"}],
    "files": [
        {"path": "/data/deep/b", "content": "{{ secrets.key }}"},
        {"path": "/data/a", "content": "{{ HOST_IP }}", "overwrite": False},
    ],
    "container": {
        "image": IMAGE,
        "command": ["run", "{{ parameters.TITLE }}"],
        "environment": {"B": "{{ parameters.PASS }}", "A": "{{ app.host }}"},
        "derived_env": [{"key": "C", "template": "{{HOST_IP}}"}],
        "secret_env": [{"key": "D", "secret": "key"}],
    },
}


def answered_with(**parameters):
    places = {name: Origin("box.yml", 4, 7) for name in parameters}
    wanted = install("web", parameters=parameters, places=places)
    catalogue = holding(document("web", **ASKING))
    return resolved(holding(wanted), catalogue, facts={"HOST_IP": "10.0.0.1"})


def test_answers_secrets_and_files_are_in_the_spec():
    web = answered_with(TITLE="Ada").apps["web"]
    (main,) = web.containers
    assert main.command == ("run", "Ada")
    assert main.environment == (("A", "web"), ("C", "10.0.0.1"))
    assert main.secret_environment == (
        ("B", (SecretRef("web", "parameter-pass"),)),
        ("D", (SecretRef("web", "key"),)),
    )
    assert main.files == (
        FileSpec("/data", "a", ("10.0.0.1",), overwrite=False),
        FileSpec("/data/deep", "b", (SecretRef("web", "key"),)),
    )
    assert main.secrets == ("key", "parameter-pass")
    assert [s.name for s in web.secrets] == ["key", "parameter-pass"]


def test_a_wrong_answer_is_told_where_it_was_given():
    found = answered_with(TITLE="two\nlines").broken["web"]
    assert str(found.origin) == "box.yml:4:7"
    assert "the parameter `TITLE`" in found.message


def test_a_missing_answer_is_told_where_it_should_be():
    found = answered_with().broken["web"]
    assert str(found.origin) == "web.install.yml:1:1"
    assert "`TITLE` has no value" in found.message


def test_another_answer_is_another_digest_and_another_order_is_not():
    one, two = (answered_with(TITLE=t).apps["web"].digest for t in ("one", "two"))
    assert one != two
    assert one == answered_with(TITLE="one").apps["web"].digest


def test_a_file_belongs_to_the_container_whose_volume_is_nearest():
    web = spec(
        containers={
            "web": {"image": IMAGE, "volumes": [{"name": "data", "target": "/data"}]},
            "db": {"image": IMAGE, "volumes": [{"name": "db", "target": "/data/db"}]},
        },
        files=[{"path": "/data/db/a", "content": "x"}, {"path": "/data/b", "content": "y"}],
    )
    assert {c.name: [f.path for f in c.files] for c in web.containers} == {
        "web": ["b"],
        "db": ["a"],
    }


# Dependencies


def test_what_a_wanted_app_requires_comes_from_the_catalogue_and_goes_with_it():
    catalogue = holding(document("db", file="apps/db/manifest.yml"), document("other"))
    found = resolved(holding(document("web", dependencies=["db"])), catalogue)
    assert {app: spec.requested for app, spec in found.apps.items()} == {"web": True, "db": False}
    assert found.apps["db"].containers[0].source == "apps/db/manifest.yml"
    assert resolved(holding(document("web")), catalogue).apps.keys() == {"web"}


def test_the_label_names_the_app_that_stands_in():
    wanted = holding(document("lnd", dependencies=["bitcoin"]))
    found = resolved(wanted, holding(document("core", provides=["bitcoin"])))
    (main,) = found.apps["lnd"].containers
    assert main.requires == ("core",)
    assert [(r.app, r.unmet) for r in found.apps["lnd"].requires] == [("core", "")]


def test_connections_name_the_app_that_stands_in():
    wanted = document(
        "lnd",
        dependencies=[
            {"app_id": "bitcoin", "ports": [8333, 8332]},
            {"app_id": "gone", "ports": [1], "optional": True},
            {"app_id": "missing", "ports": [2]},
        ],
        connections=[{"to": "tor", "ports": [9050]}],
    )
    found = resolved(holding(wanted), holding(document("core", provides=["bitcoin"])))
    assert found.apps["lnd"].connections == (
        Connection("core", (8332, 8333), asked="bitcoin"),
        Connection("missing", (2,)),
        Connection("tor", (9050,)),
    )


def test_what_a_dependency_exports_is_filled_in():
    core = document(
        "core",
        provides=["bitcoin"],
        parameters=[{"name": "NET", "default": "main"}],
        generated_secrets=[{"name": "rpc"}],
        exports={
            "values": {
                "RPC": "http://{{ app.host }}:8332/{{ parameters.NET }}",
                "PASS": "{{ secrets.rpc }}",
            },
        },
    )
    lnd = document(
        "lnd",
        dependencies=["bitcoin"],
        environment={
            "A": "{{ dependencies.bitcoin.RPC }}",
            "B": "{{ dependencies.bitcoin.PASS }}",
            "C": "{{ dependencies.bitcoin.host }}",
        },
    )
    (main,) = resolved(holding(lnd), holding(core)).apps["lnd"].containers
    assert dict(main.environment) == {"A": "http://core:8332/main", "C": "core"}
    assert main.secret_environment == (("B", (SecretRef("core", "rpc"),)),)
    assert main.secrets == ()  # it is not its own
    asked = install("core", parameters={"NET": "test"})
    (main,) = resolved(holding(lnd, asked), holding(core)).apps["lnd"].containers
    assert dict(main.environment)["A"] == "http://core:8332/test"


def test_what_is_not_exported_is_told_at_the_app_that_asks():
    lnd = document("lnd", dependencies=["core"], environment={"A": "{{ dependencies.core.RPC }}"})
    found = resolved(holding(lnd, document("core")))
    assert "`core` exports no `RPC`" in found.broken["lnd"].message
    assert set(found.apps) == {"core"}


SHARING = {
    "volumes": [{"name": "data", "target": "/var/data"}, {"name": "logs", "target": "/logs"}],
    "exports": {
        "files": {
            "cookie": {"volume": "data", "path": "/.cookie"},
            "certs": {"volume": "data", "path": "/certs"},
            "logs": {"volume": "logs"},
        },
    },
}


def reading(**file):
    wanted = document(
        "lnd", dependencies=[{"app_id": "core", "files": [{"target": "/shared"} | file]}]
    )
    return resolved(holding(wanted), holding(document("core", **SHARING)))


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ({"from": "cookie"}, "/var/data/.cookie"),
        ({"from": "data", "path": "/.cookie"}, "/var/data/.cookie"),
        ({"from": "data", "path": "/certs/a.pem"}, "/var/data/certs/a.pem"),
        ({"from": "logs", "path": "/a.log"}, "/logs/a.log"),
    ],
)
def test_a_file_that_is_exported_may_be_read(file, path):
    lnd = reading(**file).apps["lnd"]
    assert lnd.containers[0].shares == (ShareSpec("core", "main", path, "/shared"),)
    assert lnd.volumes == ()


def test_a_whole_volume_that_is_exported_is_mounted_and_stays_its_owners():
    lnd = reading(**{"from": "logs"}).apps["lnd"]
    mount = MountSpec(MountKind.VOLUME, "archipelago-core-logs", "/shared", ("ro",))
    assert lnd.containers[0].mounts == (mount,)
    assert lnd.volumes == ()


@pytest.mark.parametrize(
    "file",
    [
        {"from": "data", "path": "/wallet"},
        {"from": "data", "path": "/certs-of-others"},
        {"from": "data"},
        {"from": "other"},
    ],
)
def test_nothing_is_read_that_is_not_exported(file):
    problem = reading(**file).broken["lnd"]
    assert "`core` exports no file `" in problem.message
    assert "it exports data:/.cookie, data:/certs, logs" in problem.hint


def test_of_an_optional_app_that_is_not_there_nothing_is_read():
    wanted = {"app_id": "core", "optional": True, "files": [{"from": "a", "target": "/a"}]}
    lnd = resolved(holding(document("lnd", dependencies=[wanted]))).apps["lnd"]
    assert (lnd.containers[0].shares, lnd.containers[0].mounts) == ((), ())


def test_of_an_app_that_exports_nothing_nothing_is_read():
    wanted = {"app_id": "core", "files": [{"from": "a", "target": "/a"}]}
    found = resolved(holding(document("lnd", dependencies=[wanted]), document("core")))
    assert found.broken["lnd"].hint == "it exports nothing"


def test_a_dependency_that_cannot_be_filled_in_takes_only_itself_with_it():
    core = document("core", parameters=[{"name": "A", "required": True}])
    found = resolved(holding(document("web", dependencies=["core"])), holding(core))
    assert set(found.apps) == {"web"}
    assert "`A` has no value" in found.broken["core"].message


@pytest.mark.parametrize(
    ("version", "asked", "told"),
    [
        ("1.2.3", "^1", None),
        ("1.2.3", "^2", "cannot install `web` ^2: the catalogue has 1.2.3"),
        (None, "^2", "cannot install `web` ^2: the catalogue does not say its version"),
        ("1.2.3", None, None),
    ],
)
def test_an_install_asks_for_a_version_or_for_any(version, asked, told):
    more = {"version": version} if version else {}
    wanted = install("web", **({"version": asked} if asked else {}))
    found = resolved(holding(wanted), holding(document("web", **more)))
    assert (found.broken["web"].message if found.broken else None) == told


def test_overrides_are_in_the_spec_and_their_mistakes_are_told_where_they_are():
    catalogue = holding(
        document("web", ports=[{"host": 80, "container": 8080}], environment={"A": "1"})
    )
    over = {"ports": [{"container": 8080, "host": 81}], "environment": {"B": "{{ app.id }}"}}
    (main,) = resolved(holding(install("web", overrides=over)), catalogue).apps["web"].containers
    assert [p.host for p in main.ports] == [81]
    assert dict(main.environment) == {"A": "1", "B": "web"}
    wrong = {"ports": [{"container": 9, "host": 81}]}
    broken = resolved(holding(install("web", overrides=wrong)), catalogue).broken["web"]
    assert broken.origin.file == "web.install.yml"


def test_to_check_a_catalogue_missing_answers_and_facts_are_assumed():
    asking = document(
        "web",
        parameters=[{"name": "A", "required": True}],
        environment={
            "A": "{{ parameters.A }}{{ HOST_IP }}",
        },
    )
    assert "`A` has no value" in resolved(holding(asking)).broken["web"].message
    found = resolved(holding(asking), assumed=True)
    assert dict(found.apps["web"].containers[0].environment) == {"A": "assumed"}


def test_alerts_are_kept_for_those_who_should_read_them():
    web = spec(alerts={"install": "takes days", "uninstall": "keys are lost"})
    assert (web.alert_install, web.alert_uninstall) == ("takes days", "keys are lost")


# Builds

BUILD = {"build": {"context": ".", "args": {"A": "1"}}}


def built(content="aa", path="/apps/web", **build):
    container = {"build": {"context": ".", **build}}
    return only(container=container, contexts={("web.yml", "."): BuildContext(path, content)})


def test_a_built_image_is_named_by_what_it_is_made_of():
    made = built()
    assert made.image.startswith("localhost/archipelago/web-main:")
    assert made.build.context == "/apps/web"
    assert built(path="/elsewhere").image == made.image, "where it lies means nothing"
    assert built(path="/elsewhere").digest == made.digest
    others = [built("bb"), built(args={"A": "1"}), built(containerfile="Other")]
    assert len({made.image, *(o.image for o in others)}) == 4
    assert len({made.digest, *(o.digest for o in others)}) == 4


def test_a_context_that_cannot_be_read_breaks_its_app_only():
    problem = Problem(Origin("web.yml", 1, 1), "cannot build from .: not there", "", "web")
    found = resolved(
        holding(
            document("web", container={"build": {"context": "."}}),
            document("db"),
            contexts={("web.yml", "."): problem},
        )
    )
    assert list(found.apps) == ["db"]
    assert found.broken == {"web": problem}


# Limits and policies


def test_limits_that_a_manifest_does_not_give_are_those_of_the_box():
    box = Platform(defaults=Resources(cpu=0.5, memory=2**28, pids=100))
    given = {"cpu_limit": 2, "memory_limit": "1Gi", "pids_limit": 50}
    assert only(platform=box).resources == Resources(0.5, 2**28, None, 100)
    own = only(platform=box, resources=given).resources
    assert own == Resources(2.0, 2**30, None, 50)
    assert only().resources == Resources()


@pytest.mark.parametrize(
    ("why", "limits", "want"),
    [
        ("no container gives one", ({}, {}), None),
        ("one does", ({"disk_limit": "1Ki"}, {}), 1024),
        ("both do", ({"disk_limit": "1Ki"}, {"disk_limit": "2Ki"}), 3072),
    ],
)
def test_the_limits_of_disk_are_added_up_and_recreate_nothing(why, limits, want):
    def limited(*given):
        parts = {f"c{n}": {"image": IMAGE, "resources": each} for n, each in enumerate(given)}
        return spec(containers=parts)

    found, without = limited(*limits), limited({}, {})
    assert found.disk_limit == want, why
    assert (found.digest, found.containers) == (without.digest, without.containers)


@pytest.mark.parametrize(
    ("given", "signature"),
    [
        ({}, ""),
        ({"pull_policy": "verify-signature"}, "cosign://"),
        ({"image_signature": "cosign://key/a"}, "cosign://key/a"),
        (
            {"image_signature": "cosign://key/a", "pull_policy": "verify-signature"},
            "cosign://key/a",
        ),
    ],
)
def test_a_signature_that_is_asked_for_is_known_and_no_part_of_the_digest(given, signature):
    found = only(container={"image": IMAGE, **given})
    assert (found.signature, found.guarded) == (signature, False)
    assert found.digest == only(container={"image": IMAGE}).digest
    assert found.pull_policy is PullPolicy.IF_NOT_PRESENT


def test_the_pull_policy_is_the_one_that_is_written():
    assert only(container={"image": IMAGE, "pull_policy": "always"}).pull_policy is (
        PullPolicy.ALWAYS
    )


def test_only_what_is_not_optional_is_protected():
    wanted = [{"app_id": "db"}, {"app_id": "cache", "optional": True}]
    web = spec(dependencies=wanted)
    assert [(r.app, r.optional) for r in web.requires] == [("db", False), ("cache", True)]
    assert web.containers[0].requires == ("db",)
