"""One row per situation; the row's name is a sentence."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from builders import (
    CHECK,
    NOW,
    answered,
    app,
    container,
    desired,
    observed,
    old,
    problem,
    running,
    seen,
    situation,
    steps_of,
    told,
)
from msgspec.structs import replace

from reconciler.core.planner import plan, still_wanted
from reconciler.core.situation import Situation
from reconciler.model.change import Action, Change, Reason
from reconciler.model.container import FileSpec, Restart, ShareSpec, StartCondition
from reconciler.model.desired import Requirement, Suspension
from reconciler.model.evidence import Evidence
from reconciler.model.history import Attempts
from reconciler.model.observed import ContainerState, Observed
from reconciler.model.secret import SecretKind, SecretRef, SecretSpec
from reconciler.model.volume import ObservedVolume

WEB = app("web")
DB = app("db")
SHOP = app("shop", requires=("db",))
CHECKED = app("web", container("web", health=CHECK))
PAIR = app(
    "pair",
    container("pair", "main", depends_on=(("db", StartCondition.HEALTHY),)),
    container("pair", "db", health=CHECK),
)
CHAIN = app(
    "chain",
    container("chain", "main", depends_on=(("db", StartCondition.STARTED),)),
    container("chain", "db"),
)
JOB = app(
    "job",
    container("job", "main", depends_on=(("migrate", StartCondition.COMPLETED),)),
    container("job", "migrate", restart=Restart.NO),
)
EXITED = ContainerState.EXITED
WITH_SECRET = app(
    "web",
    replace(
        container("web"),
        files=(FileSpec("/data", "a", ("x", SecretRef("web", "key"))),),
        secrets=("key",),
    ),
    secrets=(SecretSpec("web", "key", SecretKind.HEX32),),
)


def asking(name, other, **more):
    """An app like SHOP, whose requirement is as given."""
    return replace(app(name, requires=(other,)), requires=(Requirement(other, **more),))


def later(*containers):
    return tuple(replace(c, process_start=c.process_start + 0.5) for c in containers)


UNWELL_DB = app("db", container("db", health=CHECK))
SHARING = replace(
    container("shop", requires=("db",)), shares=(ShareSpec("db", "main", "/data/a", "/a"),)
)
FOLLOWER = replace(
    app("shop", SHARING, requires=("db",)), requires=(Requirement("db", restart_with=True),)
)


def seen_with_secret(**changes):
    return replace(seen(WITH_SECRET, **changes), secrets=("key",))


def with_data(secrets, app="web"):
    """Nothing but a volume of an app, that hangs on these secrets."""
    return Observed(volumes=(ObservedVolume(f"archipelago-{app}-data", app, secrets=secrets),))


@dataclass
class Case:
    why: str
    given: Situation
    want: list[tuple[str, str, str]]
    steps: dict[str, list[str]] = field(default_factory=dict)
    message: str = ""


CASES = [
    Case(
        "a desired app of which nothing is there is installed",
        situation(desired(WEB)),
        [("web", "install", "NotInstalled")],
        {
            "web": [
                "PrepareImage main",
                "EnsureNetwork",
                "EnsureVolume",
                "CreateContainer main",
                "Isolate web",
                f"StartContainer {WEB.containers[0].container_name}",
            ]
        },
    ),
    Case(
        "what runs as desired is kept, and no step is planned",
        situation(desired(WEB), observed(*running(WEB))),
        [("web", "keep", "InSync")],
        {"web": []},
    ),
    Case(
        "a changed digest updates: everything slow comes before the old one is stopped, and the "
        "old one is not removed",
        situation(desired(WEB), observed(old(WEB))),
        [("web", "update", "DigestChanged")],
        {
            "web": [
                "PrepareImage main",
                "EnsureNetwork",
                "EnsureVolume",
                "CreateContainer main",
                "StopContainer old-web-main",
                f"StartContainer {WEB.containers[0].container_name}",
            ]
        },
    ),
    Case(
        "an update killed after creating goes on by stopping the old and starting the new",
        situation(desired(WEB), observed(old(WEB), seen(WEB, state=ContainerState.CREATED))),
        [("web", "start", "NotRunning")],
        {"web": ["StopContainer old-web-main", "StartContainer id-web-main"]},
    ),
    Case(
        "the old one is removed once the new one serves",
        situation(desired(WEB), observed(old(WEB, state=EXITED), *running(WEB))),
        [("web", "update", "PreviousSuperseded")],
        {"web": ["RemoveContainer old-web-main"]},
    ),
    Case(
        "the old one stays while the new one is not healthy yet",
        situation(desired(CHECKED), observed(old(CHECKED, state=EXITED), *running(CHECKED))),
        [("web", "keep", "Starting")],
    ),
    Case(
        "a stopped container is started",
        situation(desired(WEB), observed(seen(WEB, state=EXITED, exit_code=137))),
        [("web", "start", "NotRunning")],
        {"web": ["StartContainer id-web-main"]},
        "main ended with exit code 137",
    ),
    Case(
        "a paused container is started",
        situation(desired(WEB), observed(seen(WEB, state=ContainerState.PAUSED))),
        [("web", "start", "NotRunning")],
        {"web": ["StartContainer id-web-main"]},
    ),
    Case(
        "a container that was removed by hand is made again",
        situation(desired(WEB), observed(networks=("web",))),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "a container whose process nobody watches is made anew",
        situation(desired(WEB), observed(seen(WEB, state=ContainerState.LOST))),
        [("web", "restart", "ProcessLost")],
        {
            "web": [
                "PrepareImage main",
                "EnsureNetwork",
                "EnsureVolume",
                "RemoveContainer id-web-main",
                "CreateContainer main",
                f"StartContainer {WEB.containers[0].container_name}",
            ]
        },
    ),
    Case(
        "a half-made container is made anew",
        situation(desired(WEB), observed(seen(WEB, state=ContainerState.BROKEN))),
        [("web", "restart", "ProcessLost")],
    ),
    Case(
        "a process that is just ending is waited for, since the engine will notice in a moment",
        situation(desired(WEB), observed(seen(WEB, state=ContainerState.ENDING))),
        [("web", "hold", "Ending")],
    ),
    Case(
        "an unhealthy container is stopped and started",
        situation(
            desired(CHECKED),
            observed(*running(CHECKED)),
            probes=answered(*running(CHECKED), failures=3, message="answers 503"),
        ),
        [("web", "restart", "Unhealthy")],
        {"web": ["StopContainer id-web-main", "StartContainer id-web-main"]},
        "main is unhealthy: answers 503",
    ),
    Case(
        "two failed probes of three leave it alone",
        situation(
            desired(CHECKED),
            observed(*running(CHECKED)),
            probes=answered(*running(CHECKED), failures=2),
        ),
        [("web", "keep", "InSync")],
    ),
    Case(
        "probes of an earlier run say nothing about this one",
        situation(
            desired(CHECKED),
            observed(*running(CHECKED)),
            probes=answered(replace(running(CHECKED)[0], started_at=NOW), failures=9),
        ),
        [("web", "keep", "Starting")],
    ),
    Case(
        "a missing network is made again",
        situation(desired(WEB), observed(*running(WEB), networks=())),
        [("web", "start", "NetworkMissing")],
        {"web": ["EnsureNetwork"]},
    ),
    # dependencies
    Case(
        "what others need comes first",
        situation(desired(SHOP, DB)),
        [("db", "install", "NotInstalled"), ("shop", "hold", "DependencyNotReady")],
        message="waits for db",
    ),
    Case(
        "a dependency that runs but is not healthy yet is waited for",
        situation(
            desired(app("shop", requires=("web",)), CHECKED),
            observed(*running(CHECKED)),
        ),
        [("shop", "hold", "DependencyNotReady"), ("web", "keep", "Starting")],
    ),
    Case(
        "a running app is not touched because its dependency went down",
        situation(
            desired(SHOP, DB), observed(*running(SHOP), seen(DB, state=EXITED, exit_code=1))
        ),
        [("db", "start", "NotRunning"), ("shop", "keep", "DependencyUnhealthy")],
        message="runs, though db is not ready",
    ),
    Case(
        "a dependency that nobody wrote is named",
        situation(desired(SHOP)),
        [("shop", "hold", "DependencyMissing")],
        message="requires db, which is not there",
    ),
    Case(
        "what runs keeps what it needs until its next revision runs without it",
        situation(
            desired(WEB, broken={"x": problem("x")}),
            observed(replace(seen(WEB, state=EXITED, exit_code=0), requires=("db",)), seen("db")),
        ),
        [
            ("db", "hold", "RequiredBy"),
            ("web", "start", "NotRunning"),
            ("x", "hold", "ManifestInvalid"),
        ],
    ),
    Case(
        "a dependency of the wrong version holds what needs it, and says why",
        situation(desired(asking("shop", "db", unmet="requires db ^2, and db is 1"), DB)),
        [("db", "install", "NotInstalled"), ("shop", "hold", "DependencyUnsatisfied")],
        message="requires db ^2, and db is 1",
    ),
    Case(
        "of an optional one the version is no reason to hold",
        situation(desired(asking("shop", "db", unmet="requires …", optional=True), DB)),
        [("db", "install", "NotInstalled"), ("shop", "install", "NotInstalled")],
    ),
    Case(
        "a new start of a dependency is followed where the app asks for that",
        situation(
            desired(asking("shop", "db", restart_with=True), DB),
            observed(*running(SHOP), *later(*running(DB))),
        ),
        [("db", "keep", "InSync"), ("shop", "restart", "DependencyRestarted")],
        steps={"shop": ["StopContainer id-shop-main", "StartContainer id-shop-main"]},
    ),
    Case(
        "but only when it is ready: until then it may still have what it had before",
        situation(
            desired(asking("shop", "db", restart_with=True), UNWELL_DB),
            observed(*running(SHOP), *later(*running(UNWELL_DB))),
        ),
        [("db", "keep", "Starting"), ("shop", "keep", "DependencyUnhealthy")],
    ),
    Case(
        "whoever follows gets its files anew",
        situation(
            desired(FOLLOWER, DB),
            observed(*running(FOLLOWER), *later(*running(DB))),
        ),
        [("db", "keep", "InSync"), ("shop", "restart", "DependencyRestarted")],
        steps={
            "shop": [
                "StopContainer id-shop-main",
                "WriteFiles id-shop-main",
                "StartContainer id-shop-main",
            ]
        },
    ),
    Case(
        "and not where it does not",
        situation(desired(SHOP, DB), observed(*running(SHOP), *later(*running(DB)))),
        [("db", "keep", "InSync"), ("shop", "keep", "InSync")],
    ),
    Case(
        "an older start of a dependency is none to follow",
        situation(
            desired(asking("shop", "db", restart_with=True), DB),
            observed(*later(*running(SHOP)), *running(DB)),
        ),
        [("db", "keep", "InSync"), ("shop", "keep", "InSync")],
    ),
    Case(
        "an app that never started follows nobody",
        situation(desired(asking("shop", "db", restart_with=True), DB), observed(*running(DB))),
        [("db", "keep", "InSync"), ("shop", "install", "NotInstalled")],
    ),
    Case(
        "an optional dependency is not waited for",
        situation(
            desired(
                replace(
                    SHOP,
                    requires=(replace(SHOP.requires[0], optional=True),),
                )
            )
        ),
        [("shop", "install", "NotInstalled")],
    ),
    Case(
        "a ring holds its own apps, and what is behind it waits; the others go on",
        situation(
            desired(
                app("a", requires=("b",)),
                app("b", requires=("a",)),
                app("c", requires=("a",)),
                WEB,
            )
        ),
        [
            ("a", "hold", "DependencyCycle"),
            ("b", "hold", "DependencyCycle"),
            ("c", "hold", "DependencyNotReady"),
            ("web", "install", "NotInstalled"),
        ],
        message="cannot be ordered, apps require each other: a → b → a",
    ),
    Case(
        "a dependency whose document is broken, and of which nothing runs, is waited for",
        situation(desired(SHOP, broken={"db": problem(app="db")})),
        [("db", "hold", "ManifestInvalid"), ("shop", "hold", "DependencyNotReady")],
    ),
    # several containers
    Case(
        "all containers are created, and only those start that wait for nobody",
        situation(desired(PAIR)),
        [("pair", "install", "NotInstalled")],
        {
            "pair": [
                "PrepareImage main",
                "PrepareImage db",
                "EnsureNetwork",
                "EnsureVolume",
                "CreateContainer main",
                "CreateContainer db",
                "Isolate pair",
                f"StartContainer {PAIR.containers[1].container_name}",
            ]
        },
    ),
    Case(
        "a container waits until the other one is healthy",
        situation(
            desired(PAIR),
            observed(seen(PAIR, state=ContainerState.CREATED), seen(PAIR, "db")),
        ),
        [("pair", "hold", "ContainerNotReady")],
        message="main waits for db to be healthy",
    ),
    Case(
        "and starts when it is",
        situation(
            desired(PAIR),
            observed(seen(PAIR, state=ContainerState.CREATED), seen(PAIR, "db")),
            probes=answered(seen(PAIR, "db")),
        ),
        [("pair", "start", "NotRunning")],
        {"pair": ["StartContainer id-pair-main"]},
    ),
    Case(
        "a container that waits for another to be started is started right after it",
        situation(desired(CHAIN)),
        [("chain", "install", "NotInstalled")],
        {
            "chain": [
                "PrepareImage main",
                "PrepareImage db",
                "EnsureNetwork",
                "EnsureVolume",
                "CreateContainer main",
                "CreateContainer db",
                "Isolate chain",
                f"StartContainer {CHAIN.containers[1].container_name}",
                f"StartContainer {CHAIN.containers[0].container_name}",
            ]
        },
    ),
    Case(
        "a container under a new name updates its app, and what had the old name ends first",
        situation(desired(WEB), observed(seen("web", "server"))),
        [("web", "update", "DigestChanged")],
        {
            "web": [
                "PrepareImage main",
                "EnsureNetwork",
                "EnsureVolume",
                "CreateContainer main",
                "StopContainer id-web-server",
                f"StartContainer {WEB.containers[0].container_name}",
            ]
        },
    ),
    Case(
        "only the container that changed is made anew",
        situation(
            desired(PAIR),
            observed(old(PAIR), seen(PAIR, "db")),
            probes=answered(seen(PAIR, "db")),
        ),
        [("pair", "update", "DigestChanged")],
        {
            "pair": [
                "PrepareImage main",
                "EnsureNetwork",
                "EnsureVolume",
                "CreateContainer main",
                "StopContainer old-pair-main",
                f"StartContainer {PAIR.containers[0].container_name}",
            ]
        },
    ),
    Case(
        "one container removed by hand is made again beside the other",
        situation(
            desired(PAIR),
            observed(seen(PAIR, "db")),
            probes=answered(seen(PAIR, "db")),
        ),
        [("pair", "install", "Incomplete")],
    ),
    Case(
        "a container that the manifest does not name any more goes when the rest serves",
        situation(desired(WEB), observed(*running(WEB), replace(seen("web", "extra")))),
        [("web", "update", "PreviousSuperseded")],
        {"web": ["StopContainer id-web-extra", "RemoveContainer id-web-extra"]},
    ),
    # jobs
    Case(
        "a job that ended well lets others start and is not started again",
        situation(
            desired(JOB),
            observed(
                seen(JOB, state=ContainerState.CREATED),
                seen(JOB, "migrate", EXITED, exit_code=0),
            ),
        ),
        [("job", "start", "NotRunning")],
        {"job": ["StartContainer id-job-main"]},
    ),
    Case(
        "a completed job stays completed for its digest",
        situation(
            desired(JOB),
            observed(
                seen(JOB),
                seen(JOB, "migrate", EXITED, exit_code=0),
            ),
        ),
        [("job", "keep", "InSync")],
    ),
    Case(
        "a job that ended badly is told, not started again",
        situation(
            desired(JOB),
            observed(
                seen(JOB, state=ContainerState.CREATED),
                seen(JOB, "migrate", EXITED, exit_code=3),
            ),
        ),
        [("job", "hold", "JobFailed")],
        message="migrate ended with exit code 3",
    ),
    Case(
        "a container with restart on-failure that ended well is done",
        situation(
            desired(app("once", container("once", restart=Restart.ON_FAILURE))),
            observed(
                seen(
                    app("once", container("once", restart=Restart.ON_FAILURE)),
                    state=EXITED,
                    exit_code=0,
                )
            ),
        ),
        [("once", "keep", "InSync")],
    ),
    # unreadable is not absent
    Case(
        "a broken file holds its app at its last good version, and the others go on",
        situation(desired(replace(WEB, stale=problem("web.yml")), DB), observed(*running(WEB))),
        [("db", "install", "NotInstalled"), ("web", "hold", "ManifestInvalid")],
    ),
    Case(
        "an app whose file is broken is still repaired to its last good version",
        situation(
            desired(replace(WEB, stale=problem("web.yml"))),
            observed(seen(WEB, state=EXITED, exit_code=1)),
        ),
        [("web", "start", "NotRunning")],
    ),
    Case(
        "an app whose file is broken is never updated",
        situation(desired(replace(WEB, stale=problem("web.yml"))), observed(old(WEB))),
        [("web", "hold", "ManifestInvalid")],
    ),
    Case(
        "an app whose file is broken and that never ran is not installed from an old copy",
        situation(desired(replace(WEB, stale=problem("web.yml")))),
        [("web", "hold", "ManifestInvalid")],
    ),
    Case(
        "an app whose document was never good is held with the place of the mistake",
        situation(desired(broken={"web": problem("web.yml", "unknown key", "web")})),
        [("web", "hold", "ManifestInvalid")],
        message="web.yml:3:5: unknown key",
    ),
    Case(
        "after the state directory is lost, the label still tells which file an app came from",
        situation(
            desired(DB, broken_files={"web.yml": problem("web.yml")}),
            observed(seen("web"), *running(DB)),
        ),
        [("db", "keep", "InSync"), ("web", "hold", "ManifestInvalid")],
    ),
    Case(
        "a directory that cannot be read removes nothing",
        situation(
            desired(complete=False, incomplete_because="cannot read desired-state"),
            observed(seen("web"), seen("db")),
        ),
        [("db", "hold", "SourceUnreadable"), ("web", "hold", "SourceUnreadable")],
        message="cannot read desired-state",
    ),
    # removal
    Case(
        "an app that nobody asks for is removed, its network too",
        situation(desired(DB), observed(seen("web"), *running(DB))),
        [("db", "keep", "InSync"), ("web", "remove", "NotDesired")],
        {
            "web": [
                "StopContainer id-web-main",
                "RemoveContainer id-web-main",
                "RemoveNetwork archipelago-web",
                "ForgetIsolation web",
            ]
        },
    ),
    Case(
        "a network that was left behind is removed",
        situation(desired(DB), observed(*running(DB), networks=("db", "web"))),
        [("db", "keep", "InSync"), ("web", "remove", "NotDesired")],
        {"web": ["RemoveNetwork archipelago-web", "ForgetIsolation web"]},
    ),
    Case(
        "an app that a desired one requires is held, and the dependant is named",
        situation(desired(SHOP), observed(*running(DB), *running(SHOP))),
        [("db", "hold", "RequiredBy"), ("shop", "keep", "InSync")],
        message="is required by shop",
    ),
    Case(
        "protection reaches through apps that are held themselves",
        situation(
            desired(app("top", requires=("mid",))),
            observed(
                *running(app("top", requires=("mid",))),
                seen("mid", requires=("low",)),
                seen("low"),
            ),
        ),
        [("low", "hold", "RequiredBy"), ("mid", "hold", "RequiredBy"), ("top", "keep", "InSync")],
    ),
    Case(
        "an app in a broken file protects what its label says it requires",
        situation(
            desired(WEB, broken={"shop": problem(app="shop")}),
            observed(*running(WEB), seen("shop", requires=("db",)), seen("db")),
        ),
        [
            ("db", "hold", "RequiredBy"),
            ("shop", "hold", "ManifestInvalid"),
            ("web", "keep", "InSync"),
        ],
    ),
    Case(
        "dependants are removed first",
        situation(
            desired(WEB),
            observed(*running(WEB), seen("db"), seen("shop", requires=("db",))),
        ),
        [
            ("db", "hold", "DependantsFirst"),
            ("shop", "remove", "NotDesired"),
            ("web", "keep", "InSync"),
        ],
        message="is removed after shop",
    ),
    Case(
        "an empty directory is no word to remove everything",
        situation(desired(), observed(seen("web"))),
        [("web", "hold", "MassRemoval")],
    ),
    Case(
        "more than the limit at once needs a word from the operator",
        situation(
            desired(WEB),
            observed(*running(WEB), *(seen(x) for x in "abcd")),
        ),
        [*((x, "hold", "MassRemoval") for x in "abcd"), ("web", "keep", "InSync")],
    ),
    Case(
        "as many as the limit need none",
        situation(desired(WEB), observed(*running(WEB), *(seen(x) for x in "abc"))),
        [*((x, "remove", "NotDesired") for x in "abc"), ("web", "keep", "InSync")],
    ),
    Case(
        "a third of many is allowed",
        situation(
            desired(*(app(f"k{i}") for i in range(8))),
            observed(
                *running(*(app(f"k{i}") for i in range(8))),
                *(seen(x) for x in "abcd"),
            ),
        ),
        [
            *((x, "remove", "NotDesired") for x in "abcd"),
            *((f"k{i}", "keep", "InSync") for i in range(8)),
        ],
    ),
    Case(
        "the operator's word lets them go",
        situation(
            desired(),
            observed(seen("web")),
            evidence=Evidence(removal_confirmed={"web": NOW}),
        ),
        [("web", "remove", "NotDesired")],
    ),
    Case(
        "one more than a third of many is not",
        situation(
            desired(*(app(f"k{i}") for i in range(9))),
            observed(
                *running(*(app(f"k{i}") for i in range(9))),
                *(seen(x) for x in "abcde"),
            ),
        ),
        [
            *((x, "hold", "MassRemoval") for x in "abcde"),
            *((f"k{i}", "keep", "InSync") for i in range(9)),
        ],
    ),
    Case(
        "the operator's word is about the apps that it names",
        situation(
            desired(),
            observed(seen("web"), seen("db")),
            evidence=Evidence(removal_confirmed={"web": NOW}),
        ),
        [("db", "hold", "MassRemoval"), ("web", "remove", "NotDesired")],
        message="the desired state is empty: bring the manifests back, or say"
        " `archipelago confirm removal`",
    ),
    Case(
        "what goes on its word does not count among the others",
        situation(
            desired(WEB),
            observed(*running(WEB), *(seen(x) for x in "abcd")),
            evidence=Evidence(removal_confirmed={"a": NOW}),
        ),
        [*((x, "remove", "NotDesired") for x in "abcd"), ("web", "keep", "InSync")],
    ),
    Case(
        "what was being made when the word was given goes as well",
        situation(
            desired(),
            observed(seen("web", created_at=NOW + timedelta(seconds=5))),
            evidence=Evidence(removal_confirmed={"web": NOW}),
        ),
        [("web", "remove", "NotDesired")],
    ),
    Case(
        "an app that came back since the word is another matter",
        situation(
            desired(),
            observed(seen("web", created_at=NOW + timedelta(minutes=5))),
            evidence=Evidence(removal_confirmed={"web": NOW}),
        ),
        [("web", "hold", "MassRemoval")],
    ),
    Case(
        "when a chain of too many goes, those that would wait are held as well",
        situation(
            desired(WEB),
            observed(*running(WEB), *(seen(x, requires=("d",)) for x in "abc"), seen("d")),
        ),
        [*((x, "hold", "MassRemoval") for x in "abcd"), ("web", "keep", "InSync")],
        message="more than 3 apps would go at once: bring the manifests back, or say"
        " `archipelago confirm removal`",
    ),
    # suspended
    Case(
        "when all are stopped, what others need is stopped after them",
        situation(
            desired(replace(SHOP, suspended=True), replace(DB, suspended=True)),
            observed(*running(SHOP, DB)),
        ),
        [("db", "hold", "DependantsFirst"), ("shop", "stop", "Suspended")],
        message="is stopped after shop",
    ),
    Case(
        "and when they have stopped, it is its turn",
        situation(
            desired(replace(SHOP, suspended=True), replace(DB, suspended=True)),
            observed(seen(SHOP, state=EXITED, exit_code=0), *running(DB)),
        ),
        [("db", "stop", "Suspended"), ("shop", "hold", "Suspended")],
    ),
    Case(
        "one that cannot be stopped now holds up nobody",
        situation(
            desired(replace(SHOP, suspended=True), replace(DB, suspended=True)),
            observed(*running(SHOP, DB)),
            attempts={"shop": Attempts(SHOP.digest, failures=1, since=NOW, message="no")},
        ),
        [("db", "stop", "Suspended"), ("shop", "hold", "BackOff")],
    ),
    Case(
        "who merely can use it does not come first",
        situation(
            desired(
                replace(SHOP, suspended=True, requires=(Requirement("db", optional=True),)),
                replace(DB, suspended=True),
            ),
            observed(*running(SHOP, DB)),
        ),
        [("db", "stop", "Suspended"), ("shop", "stop", "Suspended")],
    ),
    Case(
        "in a ring all are stopped at once, and what they need after them",
        situation(
            desired(
                *(
                    replace(app(a, requires=needs), suspended=True)
                    for a, needs in (("a", ("b",)), ("b", ("a", "c")), ("c", ()), ("d", ("c",)))
                ),
            ),
            observed(*(seen(a) for a in "abcd")),
        ),
        [
            ("a", "stop", "Suspended"),
            ("b", "stop", "Suspended"),
            ("c", "hold", "DependantsFirst"),
            ("d", "stop", "Suspended"),
        ],
        message="is stopped after d",
    ),
    Case(
        "a suspended app is stopped",
        situation(desired(replace(PAIR, suspended=True)), observed(*running(PAIR))),
        [("pair", "stop", "Suspended")],
        {"pair": ["StopContainer id-pair-main", "StopContainer id-pair-db"]},
    ),
    Case(
        "a suspended app that is stopped is left alone",
        situation(
            desired(replace(WEB, suspended=True)),
            observed(seen(WEB, state=EXITED, exit_code=0)),
        ),
        [("web", "hold", "Suspended")],
    ),
    Case(
        "what requires a suspended app waits, even while that still runs",
        situation(desired(SHOP, replace(DB, suspended=True)), observed(*running(DB))),
        [("db", "stop", "Suspended"), ("shop", "hold", "DependencyNotReady")],
    ),
    Case(
        "an app that is left alone is not repaired, and says until when",
        situation(
            desired(replace(WEB, left_alone=True, suspended_until=NOW + timedelta(hours=2))),
            observed(seen(WEB, state=EXITED, exit_code=1), networks=()),
        ),
        [("web", "hold", "Suspended")],
        message="left as it is by the operator until 2026-01-01 14:00 UTC",
    ),
    Case(
        "nor updated, nor cleaned up",
        situation(desired(replace(WEB, left_alone=True)), observed(*running(WEB), old(WEB))),
        [("web", "hold", "Suspended")],
        message="left as it is by the operator",
    ),
    Case(
        "nor installed",
        situation(desired(replace(WEB, left_alone=True))),
        [("web", "hold", "Suspended")],
    ),
    Case(
        "what requires one that is left alone and runs goes on",
        situation(desired(SHOP, replace(DB, left_alone=True)), observed(*running(DB))),
        [("db", "hold", "Suspended"), ("shop", "install", "NotInstalled")],
    ),
    Case(
        "what is left alone is not removed either, and neither is what it requires",
        situation(
            desired(WEB, suspensions={"shop": (Suspension(keep_running=True),)}),
            observed(*running(WEB, SHOP, DB)),
        ),
        [
            ("db", "hold", "RequiredBy"),
            ("shop", "hold", "Suspended"),
            ("web", "keep", "InSync"),
        ],
    ),
    Case(
        "when everything is left alone nothing is removed",
        situation(
            desired(WEB, suspensions={"": (Suspension(keep_running=True),)}),
            observed(*running(WEB, DB)),
        ),
        [("db", "hold", "Suspended"), ("web", "keep", "InSync")],
    ),
    Case(
        "a suspension that stops keeps nothing from being removed",
        situation(
            desired(WEB, suspensions={"": (Suspension(),)}),
            observed(*running(WEB, DB)),
        ),
        [("db", "remove", "NotDesired"), ("web", "keep", "InSync")],
    ),
    Case(
        "and one that is over neither",
        situation(
            desired(WEB, suspensions={"db": (Suspension(NOW, keep_running=True),)}),
            observed(*running(WEB, DB)),
        ),
        [("db", "remove", "NotDesired"), ("web", "keep", "InSync")],
    ),
    # gates
    Case(
        "what this version cannot carry out is held, not ignored",
        situation(desired(replace(WEB, unsupported=("container.image_signature",)))),
        [("web", "hold", "NotSupported")],
        message="cannot be carried out by this version: container.image_signature",
    ),
    Case(
        "an app that asks for more storage than is free is not installed",
        situation(desired(replace(WEB, storage=2**40)), evidence=Evidence(free_bytes=2**30)),
        [("web", "hold", "NotEnoughStorage")],
    ),
    Case(
        "nothing is done that cannot be put on record, not even to what is gone",
        situation(
            desired(WEB),
            observed(*running(WEB), *running(DB)),
            evidence=Evidence(unrecorded="cannot write the audit log"),
        ),
        [("db", "hold", "NotOnRecord"), ("web", "keep", "InSync")],
    ),
    Case(
        "what would be done waits until it can be put on record, and is looked at again soon",
        situation(desired(WEB), evidence=Evidence(unrecorded="cannot write the audit log")),
        [("web", "hold", "NotOnRecord")],
        message="cannot write the audit log; nothing is changed until that is mended",
    ),
    Case(
        "free space that could not be measured is no room",
        situation(desired(replace(WEB, storage=1)), evidence=Evidence(free_bytes=None)),
        [("web", "hold", "NotEnoughStorage")],
    ),
    Case(
        "with room enough it is installed",
        situation(desired(replace(WEB, storage=2**30)), evidence=Evidence(free_bytes=2**30)),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "a full disk stops no repair of what is installed",
        situation(
            desired(replace(WEB, storage=2**40)),
            observed(seen(WEB, state=EXITED, exit_code=1)),
            evidence=Evidence(free_bytes=0),
        ),
        [("web", "start", "NotRunning")],
    ),
    # secrets and files
    Case(
        "secrets are made before the container, and files written before its start",
        situation(desired(WITH_SECRET)),
        [("web", "install", "NotInstalled")],
        steps={
            "web": [
                "PrepareImage main",
                "EnsureNetwork",
                "EnsureSecret",
                "EnsureVolume",
                "CreateContainer main",
                f"WriteFiles {WITH_SECRET.containers[0].container_name}",
                "Isolate web",
                f"StartContainer {WITH_SECRET.containers[0].container_name}",
            ],
        },
    ),
    Case(
        "files are written again before another start",
        situation(
            desired(WITH_SECRET),
            observed(seen_with_secret(state=EXITED, exit_code=1)),
            evidence=Evidence(secrets=frozenset({("web", "key")})),
        ),
        [("web", "start", "NotRunning")],
        steps={"web": ["WriteFiles id-web-main", "StartContainer id-web-main"]},
    ),
    Case(
        "data that was made with a secret does not get another one",
        situation(
            desired(WITH_SECRET),
            observed(replace(seen_with_secret(), digest="1-old")),
            evidence=Evidence(secrets=frozenset({("web", "other"), ("db", "key")})),
        ),
        [("web", "hold", "SecretLost")],
    ),
    Case(
        "a kept secret holds nothing",
        situation(
            desired(WITH_SECRET),
            observed(replace(seen_with_secret(), digest="1-old")),
            evidence=Evidence(secrets=frozenset({("web", "key")})),
        ),
        [("web", "update", "DigestChanged")],
    ),
    Case(
        "a lost secret stops nothing that runs",
        situation(desired(WITH_SECRET), observed(seen_with_secret())),
        [("web", "keep", "InSync")],
    ),
    Case(
        "a lost secret that is not asked for any more holds nothing",
        situation(
            desired(replace(WITH_SECRET, secrets=())),
            observed(replace(seen_with_secret(), digest="1-old")),
        ),
        [("web", "update", "DigestChanged")],
    ),
    Case(
        "data of a removed app that was made with a secret does not get another one",
        situation(desired(WITH_SECRET), with_data(("key", "more"))),
        [("web", "hold", "SecretLost")],
        message="its secret key is gone, and its data was made with it: bring back secrets/web in"
        " the state folder from a backup, or begin anew: `archipelago remove web`, then"
        " `archipelago purge web`",
    ),
    Case(
        "data of a removed app whose secret was kept comes back",
        situation(
            desired(WITH_SECRET),
            with_data(("key",)),
            evidence=Evidence(secrets=frozenset({("web", "key")})),
        ),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "a secret that the data never knew is made",
        situation(desired(WITH_SECRET), with_data(("other",))),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "data from before that was written down, without any secret, is held",
        situation(
            desired(WITH_SECRET),
            with_data(None),
            evidence=Evidence(secrets=frozenset({("db", "key")})),
        ),
        [("web", "hold", "SecretLost")],
    ),
    Case(
        "data from before that was written down, with another secret, is not",
        situation(
            desired(WITH_SECRET),
            with_data(None),
            evidence=Evidence(secrets=frozenset({("web", "other")})),
        ),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "the data of another app holds nothing",
        situation(desired(WITH_SECRET), with_data(("key",), app="db")),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "data of a removed app that was made with a secret does not get another one",
        situation(desired(WITH_SECRET), with_data(("key", "more"))),
        [("web", "hold", "SecretLost")],
        message="its secret key is gone, and its data was made with it: bring back secrets/web in"
        " the state folder from a backup, or begin anew: `archipelago remove web`, then"
        " `archipelago purge web`",
    ),
    Case(
        "data of a removed app whose secret was kept comes back",
        situation(
            desired(WITH_SECRET),
            with_data(("key",)),
            evidence=Evidence(secrets=frozenset({("web", "key")})),
        ),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "a secret that the data never knew is made",
        situation(desired(WITH_SECRET), with_data(("other",))),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "data from before that was written down, without any secret, is held",
        situation(
            desired(WITH_SECRET),
            with_data(None),
            evidence=Evidence(secrets=frozenset({("db", "key")})),
        ),
        [("web", "hold", "SecretLost")],
    ),
    Case(
        "data from before that was written down, with another secret, is not",
        situation(
            desired(WITH_SECRET),
            with_data(None),
            evidence=Evidence(secrets=frozenset({("web", "other")})),
        ),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "the data of another app holds nothing",
        situation(desired(WITH_SECRET), with_data(("key",), app="db")),
        [("web", "install", "NotInstalled")],
    ),
    # patience
    Case(
        "a change that failed just now is not tried again at once",
        situation(
            desired(WEB),
            attempts={"web": Attempts(WEB.digest, failures=1, since=NOW, message="no such image")},
        ),
        [("web", "hold", "BackOff")],
        message="no such image",
    ),
    Case(
        "and is tried again when the pause is over",
        situation(
            desired(WEB),
            now=NOW + timedelta(seconds=2),
            attempts={"web": Attempts(WEB.digest, failures=1, since=NOW, message="no such image")},
        ),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "a new revision has a clean slate",
        situation(
            desired(WEB),
            attempts={"web": Attempts("1-other", failures=9, since=NOW)},
        ),
        [("web", "install", "NotInstalled")],
    ),
    Case(
        "the first end of a process is repaired at once",
        situation(
            desired(WEB),
            observed(seen(WEB, state=EXITED, exit_code=1)),
            attempts={"web": Attempts(WEB.digest, starts=1, since=NOW)},
        ),
        [("web", "start", "NotRunning")],
    ),
    Case(
        "an app that keeps ending is a crash loop, and waits longer each time",
        situation(
            desired(WEB),
            observed(seen(WEB, state=EXITED, exit_code=1)),
            attempts={"web": Attempts(WEB.digest, starts=5, since=NOW)},
        ),
        [("web", "hold", "CrashLoop")],
        message="main ended with exit code 1",
    ),
    Case(
        "many starts do not delay a stop",
        situation(
            desired(replace(WEB, suspended=True)),
            observed(*running(WEB)),
            attempts={"web": Attempts(WEB.digest, starts=9, since=NOW)},
        ),
        [("web", "stop", "Suspended")],
    ),
    Case(
        "a removal that failed is not tried again at once",
        situation(
            desired(DB),
            observed(*running(DB), seen("web")),
            attempts={"web": Attempts("", failures=1, since=NOW, message="in use")},
        ),
        [("db", "keep", "InSync"), ("web", "hold", "BackOff")],
        message="in use",
    ),
    Case(
        "a change that fails again and again asks for a person",
        situation(
            desired(WEB),
            attempts={"web": Attempts(WEB.digest, failures=5, since=NOW, message="no such image")},
        ),
        [("web", "hold", "Failed")],
    ),
    Case("an empty box with nothing desired has an empty plan", situation(desired()), []),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.why)
def test_the_plan_is(case):
    made = plan(case.given)
    assert told(made) == case.want
    for name, want in case.steps.items():
        assert steps_of(made, name) == want
    if case.message:
        assert case.message in [c.message for c in made.changes]


def test_only_keep_and_hold_have_no_steps():
    for case in CASES:
        for change in plan(case.given).changes:
            assert change.acts == (change.action not in {Action.KEEP, Action.HOLD}), case.why


def test_a_pause_says_when_to_look_again():
    attempts = {"web": Attempts(WEB.digest, failures=3, since=NOW)}
    again = plan(situation(desired(WEB), attempts=attempts)).look_again_at
    assert again is not None
    assert NOW + timedelta(seconds=3) < again < NOW + timedelta(seconds=5)


def test_an_ending_process_is_looked_at_again_soon():
    again = plan(
        situation(desired(WEB), observed(seen(WEB, state=ContainerState.ENDING))),
    ).look_again_at
    assert again is not None
    assert again - NOW < timedelta(seconds=0.1)


@pytest.mark.parametrize(
    ("why", "change", "want", "wanted"),
    [
        (
            "the same digest is still wanted",
            Change("web", Action.INSTALL, Reason.NOT_INSTALLED, digest=WEB.digest),
            desired(WEB),
            True,
        ),
        (
            "an edit makes a change pointless",
            Change("web", Action.UPDATE, Reason.DIGEST_CHANGED, digest="1-x"),
            desired(WEB),
            False,
        ),
        (
            "an app that is gone needs no install",
            Change("web", Action.INSTALL, Reason.NOT_INSTALLED, digest=WEB.digest),
            desired(),
            False,
        ),
        (
            "a broken file stops nothing that is under way",
            Change("web", Action.INSTALL, Reason.NOT_INSTALLED, digest=WEB.digest),
            desired(broken={"web": problem()}),
            True,
        ),
        (
            "an unreadable directory stops nothing that is under way",
            Change("web", Action.INSTALL, Reason.NOT_INSTALLED, digest=WEB.digest),
            desired(complete=False),
            True,
        ),
        (
            "an app that came back must not be removed",
            Change("web", Action.REMOVE, Reason.NOT_DESIRED),
            desired(WEB),
            False,
        ),
        (
            "an app that may be wanted must not be removed",
            Change("web", Action.REMOVE, Reason.NOT_DESIRED),
            desired(broken={"web": problem()}),
            False,
        ),
        (
            "an app that nobody wants goes on being removed",
            Change("web", Action.REMOVE, Reason.NOT_DESIRED),
            desired(),
            True,
        ),
        (
            "a resumed app need not be stopped",
            Change("web", Action.STOP, Reason.SUSPENDED, digest=WEB.digest),
            desired(WEB),
            False,
        ),
        (
            "a suspended app goes on being stopped",
            Change("web", Action.STOP, Reason.SUSPENDED, digest=WEB.digest),
            desired(replace(WEB, suspended=True)),
            True,
        ),
        (
            "a suspended app need not be installed",
            Change("web", Action.INSTALL, Reason.NOT_INSTALLED, digest=WEB.digest),
            desired(replace(WEB, suspended=True)),
            False,
        ),
    ],
)
def test_still_wanted(why, change, want, wanted):
    assert still_wanted(change, want) is wanted, why


def test_what_waits_to_be_put_on_record_is_looked_at_again_soon():
    evidence = Evidence(unrecorded="cannot write the audit log")
    made = plan(situation(desired(WEB), evidence=evidence))
    assert made.look_again_at == NOW + timedelta(seconds=5)


def test_the_end_of_a_suspension_is_a_moment_to_look_again():
    soon, later = NOW + timedelta(minutes=5), NOW + timedelta(hours=5)
    words = {"web": (Suspension(later), Suspension(NOW)), "": (Suspension(soon), Suspension())}
    exited = observed(seen(WEB, state=ContainerState.EXITED))
    made = plan(situation(desired(replace(WEB, suspended=True), suspensions=words), exited))
    assert made.look_again_at == soon
