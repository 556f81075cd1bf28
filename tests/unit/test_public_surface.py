"""What others rely on: it changes on purpose only, and this list with it."""

from inspect import signature

from typer.main import get_command

from reconciler.cli import trust
from reconciler.cli.app import build
from reconciler.cli.audit import audit, prove, verify
from reconciler.cli.call import verb
from reconciler.cli.confirm import removal, revision, signer
from reconciler.cli.import_ import addon, compose
from reconciler.report.metrics import Metrics

COMMON = {"desired_state", "catalogue", "state_dir", "instance", "podman", "config", "output"}
OWN = {
    "run": set(),
    "plan": {"detailed_exitcode"},
    "apply": {"timeout"},
    "status": {"app", "watch"},
    "validate": {"paths"},
    "install": {"app", "answers", "manifest", "yes", "accept_permissions"},
    "remove": {"app", "force"},
    "permissions": {"app"},
    "approve": {"app", "yes", "accept_permissions", "revoke"},
    "suspend": {"app", "every", "period", "until", "keep_running"},
    "resume": {"app", "every"},
    "logs": {"app", "follow", "tail", "container"},
    "events": {"app", "follow", "tail"},
    "doctor": set(),
    "schema": set(),
    "secret": {"app", "name"},
    "graph": set(),
    "isolation": {"app"},
    "outdated": {"app"},
    "update": {"app", "every", "back"},
    "volumes": set(),
    "purge": {"app", "yes"},
    "adopt": {"app", "container", "yes"},
    "retry": {"app", "every"},
}
TRUST = {
    "list": set(),
    "test": {"image", "signature"},
    "add": {"scope", "key", "name", "mode"},
}
METRICS = {
    "archipelago_anomalies": ("gauge", ("kind",)),
    "archipelago_app_commit_info": ("gauge", ("app", "commit")),
    "archipelago_app_disk_bytes": ("gauge", ("app",)),
    "archipelago_app_disk_limit_bytes": ("gauge", ("app",)),
    "archipelago_app_health": ("gauge", ("app", "state")),
    "archipelago_app_info": ("gauge", ("app", "version", "image", "digest")),
    "archipelago_app_ready": ("gauge", ("app",)),
    "archipelago_apps": ("gauge", ("condition", "status")),
    "archipelago_audit_entries": ("gauge", ()),
    "archipelago_audit_writable": ("gauge", ()),
    "archipelago_build_info": ("gauge", ("version",)),
    "archipelago_change_to_ready_seconds": ("histogram", ()),
    "archipelago_changes": ("counter", ("action", "result")),
    "archipelago_drift_repaired": ("counter", ("reason",)),
    "archipelago_lanes_busy": ("gauge", ()),
    "archipelago_pass_duration_seconds": ("histogram", ()),
    "archipelago_passes": ("counter", ("outcome",)),
    "archipelago_plan_actions": ("gauge", ("action",)),
    "archipelago_podman_call_duration_seconds": ("histogram", ("call",)),
    "archipelago_podman_call_errors": ("counter", ("call",)),
    "archipelago_problems": ("gauge", ()),
    "archipelago_retries": ("counter", ("step",)),
    "archipelago_rollbacks": ("counter", ()),
    "archipelago_seccomp_violations": ("counter", ("app",)),
    "archipelago_source_held": ("gauge", ()),
    "archipelago_source_info": ("gauge", ("ref", "commit")),
    "archipelago_watch_inotify": ("gauge", ()),
}


def test_the_verbs_and_their_options():
    app = build()
    found = {c.name: set(signature(c.callback).parameters) for c in app.registered_commands}
    assert found == {name: own | COMMON for name, own in OWN.items()}
    for function in (removal, revision):
        assert set(signature(verb(function)).parameters) == {"yes"} | COMMON
    assert set(signature(verb(signer)).parameters) == {"app", "yes"} | COMMON
    for function in (compose, addon):
        own = {"path", "app_id", "out", "force"}
        assert set(signature(verb(function)).parameters) == own | COMMON
    own = {"key", "checkpoint", "against_runtime"}
    assert set(signature(verb(verify)).parameters) == own | COMMON
    assert set(signature(verb(prove)).parameters) == {"number"} | COMMON
    own = {"context", "app", "since", "tail"}
    assert set(signature(verb(audit)).parameters) == own | COMMON
    for name, own in TRUST.items():
        assert set(signature(verb(getattr(trust, name))).parameters) == own | COMMON
    assert [g.name for g in app.registered_groups] == ["audit", "confirm", "trust", "import"]


def test_a_verb_that_is_made_alone_is_the_same_one():
    every = get_command(build()).commands
    for name, command in every.items():
        alone = get_command(build(name)).commands
        assert list(alone) == [name]
        assert [p.opts for p in alone[name].params] == [p.opts for p in command.params]
        assert alone[name].help == command.help
        for member, its in getattr(command, "commands", {}).items():
            assert alone[name].commands[member].help == its.help


def test_the_metrics_and_their_labels():
    metrics = Metrics()
    families = {
        family._name: (family._type, family._labelnames)
        for family in vars(metrics._families).values()
        if hasattr(family, "_labelnames")
    }
    assert families == METRICS
    assert {f.name for f in metrics.registry.collect()} == set(METRICS)
