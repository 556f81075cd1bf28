"""Takes what the recorder tells, counts and measures it, and serves the result."""

from collections import Counter as Tally
from contextlib import suppress
from datetime import datetime
from threading import Lock, Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Gauge, disable_created_metrics, start_http_server

from reconciler import __version__
from reconciler.errors import ConfigurationError
from reconciler.model.anomaly import AnomalyKind
from reconciler.model.change import Action, Outcome, Reason, Result
from reconciler.model.commit import Commit
from reconciler.model.health import HealthState
from reconciler.model.status import AppStatus, ConditionType, Status
from reconciler.report.metrics.families import CALLS, DRIFT, OTHER, STEPS, Families, Outcomes

_JOIN_SECONDS = 2.0
_LAST_PORT = 65535


class Metrics:
    """Every metric of a loop. Any thread may call `retried`, `violated` and `api_call`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it takes and gives nothing
        self.registry = CollectorRegistry(auto_describe=True)
        self._families = Families(self.registry)
        self._families.build.labels(__version__).set(1)
        self._waits = _Waits()
        self._infos: dict[str, tuple[str, ...]] = {}
        self._violators = Lock()  # an app that goes while it is counted does not come back
        self._commits: dict[str, str] = {}
        self._source: tuple[str, str] | None = None
        self._apps: dict[str, AppStatus] = {}
        self._server: tuple[WSGIServer, Thread] | None = None

    def passed(self, status: Status) -> None:
        """Take a pass and the state of all apps after it."""
        families, last = self._families, status.last_pass
        families.pass_duration.observe(last.duration_seconds)
        families.passes.labels(Outcomes.BLIND if last.error else Outcomes.OK).inc()
        families.problems.set(len(status.problems))
        families.lanes.set(status.lanes_busy)
        actions = Tally(app.action for app in status.apps)
        for action in Action:
            families.plan_actions.labels(action).set(actions[action])
        odd = Tally(each.kind for each in status.anomalies)
        for kind in AnomalyKind:
            families.anomalies.labels(kind).set(odd[kind])
        self._take_source(status)
        self._take_conditions(status)
        self._take_apps(status)
        if not last.error:
            for seconds in self._waits.over(status):
                families.change_to_ready.observe(seconds)

    def finished(self, outcome: Outcome) -> None:
        """Take a change that ended."""
        change = outcome.change
        self._families.changes.labels(change.action, outcome.result).inc()
        repaired = outcome.result is Result.APPLIED and change.reason in DRIFT
        # The later starts of a new revision, one container after another, repair nothing.
        if repaired and not self._waits.waiting(change.app):
            self._families.drift.labels(change.reason).inc()

    def retried(self, step: str) -> None:
        """Take a step that is repeated."""
        self._families.retries.labels(step if step in STEPS else OTHER).inc()

    def violated(self, app: str) -> None:
        """Take a call of an app's that a filter refused."""
        with self._violators:
            if app in self._infos:
                self._families.violations.labels(app).inc()

    def api_call(self, kind: str, seconds: float, ok: bool) -> None:
        """Take a call of Podman's API."""
        call = kind if kind in CALLS else OTHER
        self._families.calls.labels(call).observe(seconds)
        if not ok:
            self._families.call_errors.labels(call).inc()

    def watching(self, *, inotify: bool) -> None:
        """Take whether the kernel tells of changed files, or folders are polled."""
        self._families.watch.set(int(inotify))

    def on_record(self, *, entries: int, writable: bool) -> None:
        """Take how many entries the audit log has, and whether it can have more."""
        self._families.audit_entries.set(entries)
        self._families.audit_writable.set(int(writable))

    def serve(self, address: str) -> str:
        """Serve on `host:port` and return the address in use; port 0 chooses a free one."""
        host, port = _split(address)
        try:
            server, thread = start_http_server(port, host, self.registry)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise ConfigurationError(
                f"cannot serve metrics on {address}: {why}; end the program that listens there, "
                "or choose another place with ARCHIPELAGO_METRICS=127.0.0.1:9466",
            ) from error
        self._server = (server, thread)
        shown = f"[{host}]" if ":" in host else host
        return f"{shown}:{server.server_port}"

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            server, thread = self._server
            self._server = None
            server.shutdown()
            server.server_close()
            thread.join(_JOIN_SECONDS)

    def _take_source(self, status: Status) -> None:
        source = status.source
        commit = source.commit.id if source and source.commit else ""
        labels = (source.ref, commit) if source and commit else None
        if self._source != labels:
            self._families.source.clear()
            self._source = labels
        if labels:
            self._families.source.labels(*labels).set(1)
        self._families.source_held.set(int(bool(source and source.told)))

    def _take_conditions(self, status: Status) -> None:
        for kind in ConditionType:
            answers = [c for app in status.apps if (c := app.condition(kind)) is not None]
            true = sum(answer.status for answer in answers)
            self._families.apps.labels(kind, "true").set(true)
            self._families.apps.labels(kind, "false").set(len(answers) - true)

    def _take_apps(self, status: Status) -> None:
        families = self._families
        for gone in self._infos.keys() - {app.id for app in status.apps}:
            families.app_info.remove(*self._infos.pop(gone))
            self._take_commit(gone, None)
            families.app_ready.remove(gone)
            self._forget_violations(gone)
            for state in HealthState:
                families.app_health.remove(gone, state)
            _set_or_remove(families.app_disk, gone, None)
            _set_or_remove(families.app_disk_limit, gone, None)
            del self._apps[gone]
        for app in status.apps:
            if self._apps.get(app.id) == app:
                continue
            known, self._apps[app.id] = self._apps.get(app.id), app
            # What was rolled back before this life began was counted by the one before.
            if known is not None and _rolled_back(app) and not _rolled_back(known):
                families.rollbacks.inc()
            self._take_info(app)
            self._take_commit(app.id, app.commit)
            families.app_ready.labels(app.id).set(int(app.ready))
            for state in HealthState:
                families.app_health.labels(app.id, state).set(int(app.health is state))
            _set_or_remove(families.app_disk, app.id, app.disk_bytes)
            _set_or_remove(families.app_disk_limit, app.id, app.disk_limit)

    def _forget_violations(self, gone: str) -> None:
        with self._violators, suppress(KeyError):
            self._families.violations.remove(gone)

    def _take_info(self, app: AppStatus) -> None:
        image = " ".join(sorted({c.image for c in app.containers if c.image}))
        labels = (app.id, app.version, image, app.digest)
        known = self._infos.get(app.id)
        if known != labels:
            if known is not None:
                self._families.app_info.remove(*known)
            self._infos[app.id] = labels
            self._families.app_info.labels(*labels).set(1)

    def _take_commit(self, app: str, commit: Commit | None) -> None:
        """One series an app, and none where it is not known."""
        known = self._commits.pop(app, None)
        if known is not None:
            self._families.app_commit.remove(app, known)
        if commit is not None:
            self._commits[app] = commit.short
            self._families.app_commit.labels(app, commit.short).set(1)


class _Waits:
    """Which apps have a new revision that does not serve yet, and since when it is asked for."""

    def __init__(self) -> None:
        self._since: dict[str, datetime | None] = {}
        self._digests: dict[str, str] = {}
        self._first = True

    def waiting(self, app: str) -> bool:
        """Say whether a new revision of the app is on its way."""
        return app in self._since

    def over(self, status: Status) -> list[float]:
        """Return how long it took for each app whose new revision serves since this status."""
        present = {app.id: app for app in status.apps}
        self._since = {a: at for a, at in self._since.items() if a in present}
        self._digests = {a: digest for a, digest in self._digests.items() if a in present}
        for app in status.apps:
            if self._is_new(app):
                self._since[app.id] = app.manifest_changed_at
            self._digests[app.id] = app.digest
        self._first = False
        now = status.last_pass.finished_at
        done = [a for a in self._since if _at_rest(present[a])]
        began = [(a, self._since.pop(a)) for a in done]
        return [
            max(0.0, (now - at).total_seconds())
            for a, at in began
            if at and present[a].ready and not _rolled_back(present[a])
        ]

    def _is_new(self, app: AppStatus) -> bool:
        """What is found serving at the first look was put there by an earlier life."""
        if self._first:
            return app.action in {Action.INSTALL, Action.UPDATE}
        return self._digests.get(app.id) != app.digest


def _rolled_back(app: AppStatus) -> bool:
    """Whether what serves is not what is asked for."""
    stalled = app.condition(ConditionType.STALLED)
    return stalled is not None and stalled.status and stalled.reason == Reason.ROLLED_BACK


def _at_rest(app: AppStatus) -> bool:
    condition = app.condition(ConditionType.RECONCILING)
    waits = condition is not None and condition.status
    return app.action is Action.KEEP and app.ready and not waits


def _set_or_remove(family: Gauge, app: str, value: int | None) -> None:
    """Nothing is told where nothing is known: 0 would be a figure."""
    if value is not None:
        family.labels(app).set(value)
    else:
        with suppress(KeyError):
            family.remove(app)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and int(port) <= _LAST_PORT:
        return host.removeprefix("[").removesuffix("]"), int(port)
    raise ConfigurationError(
        f"cannot serve metrics on `{address}`: that is not an address and a port; "
        "write for example 127.0.0.1:9465",
    )
