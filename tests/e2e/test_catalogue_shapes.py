"""
Apps of the catalogue, run without a registry: two of several containers, and two that are a chain.

The manifest is the real one: only images, commands, users by name and checks by command are
replaced, by a busybox that listens where the real program does.
"""

import json
from datetime import datetime

import pytest
import yaml
from catalogue import source
from e2e.box import IMAGE

pytestmark = pytest.mark.e2e
# Users by name are in the image's list of users, which busybox has none of.
NUMBERS = {"postgres": "70:70", "redis": "999:1000", "valkey": "999:1000", "mysql": "999:999"}
SLOW = 2  # seconds until a database listens: who does not wait for its health comes too early


def database(volume):
    """Greets on its port, after a while; writes down since when, and what its password is."""
    return (
        f"sleep {SLOW}; [ -e {volume}/first ] || echo $POSTGRES_PASSWORD > {volume}/first;"
        f" date +%s > {volume}/listens; exec busybox nc -ll -p 5432 -e echo PostgreSQL"
    )


def cache(port=6379):
    return f"exec busybox nc -ll -p {port} -e echo PONG"


def web(port, path, *first, folder="/tmp/w"):
    """Answers one path by HTTP, after some preparations."""
    served = folder + path
    return "; ".join(
        (
            *first,
            f"mkdir -p $(dirname {served}); echo ok > {served}",
            f"exec busybox httpd -f -p {port} -h {folder}",
        )
    )


def asks(host, port, file):
    """What `host` answers, by its name, is kept in a file."""
    return f"busybox timeout 5 busybox nc {host} {port} > {file}"


def listening(port):
    """A check by a command, as the real one is."""
    return ["sh", "-c", f"busybox timeout 2 busybox nc localhost {port} | busybox grep -q ."]


SHAPES = {
    "nextcloud": {
        "main": web(
            80,
            "/status.php",
            asks("db", 5432, "/var/www/html/db"),
            asks("cache", 6379, "/var/www/html/cache"),
        ),
        "db": database("/var/lib/postgresql/data"),
        "cache": cache(),
    },
    "immich": {
        "main": web(
            2283,
            "/api/server/ping",
            asks("database", 5432, "/data/database"),
            asks("redis", 6379, "/data/redis"),
        ),
        "machine-learning": web(3003, "/ping", "echo model > /cache/model"),
        "redis": cache(),
        "database": database("/var/lib/postgresql/data"),
    },
    "bitcoin-core": {
        # The cookie is there some time after the start, and RPC after the cookie.
        "main": "sleep 2; echo __cookie__:$RANDOM$RANDOM > /data/.cookie;"
        " exec busybox nc -ll -p 8332 -e echo RPC",
    },
    "electrs": {
        "main": web(
            4224,
            "/index.html",
            "cat $ELECTRS_COOKIE_FILE > /data/cookie",
            folder="/data/w",  # runc forgets that everybody may write to /tmp, when it restarts
        ),
    },
}
PORTS = {"db": 5432, "database": 5432, "cache": 6379, "redis": 6379}


def stand_in(app):
    """The manifest of the catalogue, with busybox for every program."""
    manifest = yaml.safe_load(source(app).read_text())["app"]
    needs = [n for n in manifest.get("dependencies", ()) if "storage" not in n]
    manifest["dependencies"] = needs  # without the room for data, which no test has
    alone = manifest.get("container")
    containers = {"main": alone} if alone else manifest["containers"]
    assert set(containers) == set(SHAPES[app])
    for name, container in containers.items():
        container["image"] = IMAGE
        container.pop("entrypoint", None)
        container["command"] = ["sh", "-c", SHAPES[app][name]]
        container["stop_grace_period"] = 0
        security = (manifest if alone else container).get("security", {})
        if not security.get("readonly_root"):  # which brings a /tmp of its own
            container["tmpfs"] = ["/tmp"]
        if container.get("user") in NUMBERS:
            container["user"] = NUMBERS[container["user"]]
            for volume in container.get("volumes", ()):
                volume["options"] = ["U"]  # the real image has the directory for its user
        check = (manifest if alone else container)["health_check"]
        if check["type"] == "exec":
            check["command"] = listening(PORTS[name])
        check |= {"interval": "1s", "timeout": "3s"}
    return {"app": manifest}


def write(it, app):
    (it.desired / f"{app}.yml").write_text(json.dumps(stand_in(app), indent=2))
    it.approve(app)


def inside(it, app, name, script):
    """What a script prints in a container."""
    ref = it.container(app, name)["Id"]
    return it.podman("exec", ref, "/bin/busybox", "sh", "-c", script)


def started(it, app, name):
    told = json.loads(it.podman("inspect", it.container(app, name)["Id"]))
    return datetime.fromisoformat(told[0]["State"]["StartedAt"]).timestamp()


@pytest.mark.parametrize(
    ("app", "db", "data", "key"),
    [
        ("nextcloud", "db", "/var/www/html", "POSTGRES_PASSWORD"),
        ("immich", "database", "/data", "DB_PASSWORD"),
    ],
)
def test_a_shape_of_the_catalogue_lives(box, app, db, data, key):
    it = box()
    it.write("anchor", command="exec sleep 9999")
    it.start()
    write(it, app)
    it.wait_ready(app, patience=90)

    # In order: nobody who waits for the database was started before it answered.
    listens = int(inside(it, app, db, "cat /var/lib/postgresql/data/listens"))
    assert started(it, app, db) + SLOW <= listens + 1
    assert started(it, app, "main") >= listens

    # By name, in a network of their own.
    cache_name = "cache" if app == "nextcloud" else "redis"
    assert inside(it, app, "main", f"cat {data}/{db}") == "PostgreSQL"
    assert inside(it, app, "main", f"cat {data}/{cache_name}") == "PONG"
    assert {tuple(c["Networks"]) for c in of(it, app)} == {(f"{it.instance}-{app}",)}

    # One secret, made here, and the same for both.
    secret = inside(it, app, "main", f"echo ${key}")
    assert len(bytes.fromhex(secret)) == 32
    assert inside(it, app, db, "echo $POSTGRES_PASSWORD") == secret
    assert secret not in (it.desired / f"{app}.yml").read_text()

    # Data and secret outlive the app.
    inside(it, app, "main", f"echo kept > {data}/mine")
    it.delete(app)
    it.wait_gone(app)
    assert not of(it, app)
    write(it, app)
    it.wait_ready(app, patience=90)
    assert inside(it, app, "main", f"cat {data}/mine") == "kept"
    assert inside(it, app, db, "cat /var/lib/postgresql/data/first") == secret
    assert inside(it, app, "main", f"echo ${key}") == secret


def of(it, app):
    return [c for c in it.containers().values() if c["Labels"]["io.archipelago.app"] == app]


def test_a_chain_of_the_catalogue_lives(box):
    """Who asks for `bitcoin` gets a node, its name, and the cookie of its latest start."""
    it = box()
    for app in ("bitcoin-core", "electrs"):
        (it.catalogue / app).mkdir()
        (it.catalogue / app / "manifest.yml").write_text(json.dumps(stand_in(app)))
    (it.desired / "electrs.yml").write_text("install: {app: electrs}")
    it.approve("bitcoin-core", "electrs")
    it.start()
    it.wait_ready("bitcoin-core", "electrs", patience=90)
    address = inside(it, "electrs", "main", "echo $ELECTRS_DAEMON_RPC_ADDR")
    assert address == "bitcoin-core:8332"
    cookie = inside(it, "bitcoin-core", "main", "cat /data/.cookie")
    assert inside(it, "electrs", "main", "cat /data/cookie") == cookie

    it.podman("kill", it.container("bitcoin-core")["Id"])
    it.wait(lambda s: follows(it, cookie), "a new cookie on both sides")


def follows(it, old):
    """Both are ready with a cookie that is not the old one."""
    try:
        new = inside(it, "bitcoin-core", "main", "cat /data/.cookie")
        return new != old and inside(it, "electrs", "main", "cat /data/cookie") == new
    except AssertionError:
        return False  # between an end and a start
