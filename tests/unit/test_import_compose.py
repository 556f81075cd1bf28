"""A Compose file becomes a manifest that means the same, and says what it could not carry."""

import pytest

from reconciler.importing.compose import Beside, import_compose
from reconciler.importing.emit import manifest_text
from reconciler.importing.ledger import Fate, Kind, leaves
from reconciler.importing.report import dotted
from reconciler.sources.manifests import load_documents
from reconciler.sources.yaml_documents import parse

HEAD = "services:\n  web:\n    image: a/web:1\n"
TWO = HEAD + "  db:\n    image: a/db:1\n"


def draft(text, **beside):
    nodes, problems = parse(text.encode(), "compose.yml", foreign=True)
    assert problems == []
    made = import_compose(nodes[0].data, Beside("shop", **beside))
    for path in leaves(nodes[0].data):
        assert made.ledger.fate_of(path) is not None
    if not made.refusals:
        loaded = load_documents(manifest_text(made.app, "x").encode(), "m.yml")
        assert loaded.problems == ()
    return made


def web(made):
    return made.app.get("container") or made.app["containers"]["web"]


def notes(made, kind):
    return {dotted(note.path): note.message for note in made.notes(kind)}


def lines(table):
    rows = [line.split(" ¦ ") for line in table.strip().splitlines()]
    return [[cell.strip().replace("⏎", "\n") for cell in row] for row in rows]


# --- what is carried -----------------------------------------------------------------------------

CARRIED = """
command: redis-server --save 'a b' ¦ command ¦ ["redis-server", "--save", "a b"]
command: [a, "b c"] ¦ command ¦ ["a", "b c"]
entrypoint: /run.sh x ¦ entrypoint ¦ ["/run.sh", "x"]
user: "1000:1000" ¦ user ¦ "1000:1000"
working_dir: /app ¦ working_dir ¦ "/app"
hostname: box ¦ hostname ¦ "box"
init: true ¦ init ¦ True
stop_signal: SIGINT ¦ stop_signal ¦ "SIGINT"
stop_grace_period: 1m30s ¦ stop_grace_period ¦ "1m30s"
restart: on-failure ¦ restart ¦ "on-failure"
restart: "no" ¦ restart ¦ "no"
restart: unless-stopped ¦ restart ¦ None
pull_policy: always ¦ pull_policy ¦ "always"
shm_size: 256mb ¦ shm_size ¦ "256Mi"
tmpfs: /run ¦ tmpfs ¦ ["/run"]
tmpfs: [/run, "/tmp:size=64m"] ¦ tmpfs ¦ ["/run"]
dns: 1.1.1.1 ¦ dns ¦ ["1.1.1.1"]
extra_hosts: ["nas:10.0.0.2"] ¦ extra_hosts ¦ {"nas": "10.0.0.2"}
extra_hosts: {nas: 10.0.0.2} ¦ extra_hosts ¦ {"nas": "10.0.0.2"}
sysctls: [net.core.somaxconn=1024] ¦ sysctls ¦ {"net.core.somaxconn": "1024"}
sysctls: {net.core.somaxconn: 1024} ¦ sysctls ¦ {"net.core.somaxconn": "1024"}
ulimits: {nproc: 65535} ¦ ulimits ¦ {"nproc": 65535}
ulimits: {nofile: {soft: 10, hard: 20}} ¦ ulimits ¦ {"nofile": {"soft": 10, "hard": 20}}
devices: [/dev/dri] ¦ devices ¦ ["/dev/dri"]
devices: ["/dev/ttyUSB0:/dev/zigbee:rw"] ¦ devices ¦ [{"path": "/dev/ttyUSB0", "target": "/dev/zigbee", "permissions": "rw"}]
mem_limit: 512m ¦ resources ¦ {"memory_limit": "512Mi"}
cpus: "1.5" ¦ resources ¦ {"cpu_limit": "1.5"}
pids_limit: 100 ¦ resources ¦ {"pids_limit": 100}
mem_limit: 0 ¦ resources ¦ None
deploy: {resources: {limits: {memory: 1gb, cpus: "2", pids: 9}}} ¦ resources ¦ {"memory_limit": "1Gi", "cpu_limit": "2", "pids_limit": 9}
deploy: {resources: {reservations: {memory: 1G}}} ¦ resources ¦ {"memory_reservation": "1Gi"}
ports: ["8080:80"] ¦ ports ¦ [{"host": 8080, "container": 80, "bind": "0.0.0.0"}]
ports: ["127.0.0.1:53:53/udp"] ¦ ports ¦ [{"host": 53, "container": 53, "protocol": "udp", "bind": "127.0.0.1"}]
ports: ["[::1]:80:80"] ¦ ports ¦ [{"host": 80, "container": 80, "bind": "::1"}]
ports: [{target: 80, published: "8080"}] ¦ ports ¦ [{"host": 8080, "container": 80, "bind": "0.0.0.0"}]
ports: ["8000-8001:9000-9001"] ¦ ports ¦ [{"host": 8000, "container": 9000, "bind": "0.0.0.0"}, {"host": 8001, "container": 9001, "bind": "0.0.0.0"}]
volumes: ["./conf/x:/etc/x:ro"] ¦ volumes ¦ [{"name": "conf-x", "target": "/etc/x", "options": ["ro"]}]
volumes: ["data:/data"] ¦ volumes ¦ [{"name": "data", "target": "/data"}]
volumes: [/var/lib/x] ¦ volumes ¦ [{"name": "var-lib-x", "target": "/var/lib/x"}]
volumes: ["/DATA/AppData/shop/db:/db"] ¦ volumes ¦ [{"name": "db", "target": "/db"}]
volumes: ["/DATA/Media:/media"] ¦ volumes ¦ [{"type": "bind", "source": "/DATA/Media", "target": "/media"}]
volumes: ["/DATA/AppData/other:/o"] ¦ volumes ¦ [{"type": "bind", "source": "/DATA/AppData/other", "target": "/o"}]
volumes: ["/etc/localtime:/etc/localtime:ro"] ¦ volumes ¦ [{"type": "bind", "source": "/etc/localtime", "target": "/etc/localtime", "options": ["ro"]}]
volumes: [{type: bind, source: /srv, target: /s, read_only: true, bind: {propagation: rslave}}] ¦ volumes ¦ [{"type": "bind", "source": "/srv", "target": "/s", "options": ["ro", "rslave"]}]
volumes: [{type: tmpfs, target: /t, tmpfs: {size: 64m}}] ¦ volumes ¦ [{"type": "tmpfs", "target": "/t", "size": "64Mi"}]
environment: {A: 1.10, B: yes, C: "x"} ¦ environment ¦ {"A": "1.10", "B": "yes", "C": "x"}
environment: [AUTH_TOKEN=true, DB_PASSWORD=/run/x] ¦ environment ¦ {"AUTH_TOKEN": "true", "DB_PASSWORD": "/run/x"}
environment: [A=1, "B=x=y"] ¦ environment ¦ {"A": "1", "B": "x=y"}
environment: ["A=${X:-b}"] ¦ environment ¦ {"A": "b"}
environment: ["A=$$HOME"] ¦ environment ¦ {"A": "$HOME"}
environment: ["A=${X:?why}"] ¦ environment ¦ {"A": "{{ parameters.X }}"}
environment: [A] ¦ environment ¦ {"A": "{{ parameters.A }}"}
environment: {A: } ¦ environment ¦ {"A": "{{ parameters.A }}"}
environment: [DB_PASSWORD=] ¦ environment ¦ {"DB_PASSWORD": "{{ parameters.DB_PASSWORD }}"}
environment: [DB_PASSWORD=hunter22] ¦ environment ¦ {"DB_PASSWORD": "{{ secrets.db-password }}"}
environment: [DB_PASSWORD_FILE=/run/x, TOKEN_TTL=30] ¦ environment ¦ {"DB_PASSWORD_FILE": "/run/x", "TOKEN_TTL": "30"}
environment: [APP_KEY=base64:abcdefgh] ¦ environment ¦ {"APP_KEY": "base64:{{ secrets.app-key }}"}
healthcheck: {test: pg_isready -U a} ¦ health_check ¦ {"type": "exec", "command": ["sh", "-c", "pg_isready -U a"]}
healthcheck: {test: [CMD, a, b], interval: 5s, timeout: 3s, retries: 5, start_period: 10s} ¦ health_check ¦ {"type": "exec", "command": ["a", "b"], "interval": "5s", "timeout": "3s", "start_period": "10s", "retries": 5}
healthcheck: {test: [CMD, curl, -f, "http://localhost:8080/health"]} ¦ health_check ¦ {"type": "http", "endpoint": "http://localhost:8080", "path": "/health"}
healthcheck: {test: "curl -fsS http://127.0.0.1/ || exit 1"} ¦ health_check ¦ {"type": "http", "endpoint": "http://localhost:80"}
healthcheck: {test: [CMD-SHELL, "wget -q --spider http://localhost:1/x || exit 1"]} ¦ health_check ¦ {"type": "http", "endpoint": "http://localhost:1", "path": "/x"}
healthcheck: {test: [CMD, curl, "http://localhost:1"]} ¦ health_check ¦ {"type": "exec", "command": ["curl", "http://localhost:1"]}
healthcheck: {test: "curl -f http://localhost:1 | grep ok"} ¦ health_check ¦ {"type": "exec", "command": ["sh", "-c", "curl -f http://localhost:1 | grep ok"]}
healthcheck: {test: [CMD, curl, -fk, "https://localhost:1"]} ¦ health_check ¦ {"type": "exec", "command": ["curl", "-fk", "https://localhost:1"]}
healthcheck: {test: [CMD, curl, -f, "http://db:1"]} ¦ health_check ¦ {"type": "exec", "command": ["curl", "-f", "http://db:1"]}
healthcheck: {test: NONE} ¦ health_check ¦ None
healthcheck: {disable: true} ¦ health_check ¦ None
"""  # noqa: E501 - a row is a line


@pytest.mark.parametrize(
    ("written", "key", "want"), lines(CARRIED), ids=[row[0] for row in lines(CARRIED)]
)
def test_a_key_is_carried(written, key, want):
    made = draft(HEAD + f"    {written}\n")
    assert web(made).get(key) == eval(want)
    assert made.notes(Kind.NOT_CARRIED) == []


# --- what is told --------------------------------------------------------------------------------

NOT_CARRIED = """
env_file: .env ¦ services.web.env_file ¦ is not read
build: . ¦ services.web.build ¦ there is an image
tty: true ¦ services.web.tty ¦ no terminal
ipc: host ¦ services.web.ipc ¦ memory to share
pid: host ¦ services.web.pid ¦ its own processes
runtime: nvidia ¦ services.web.runtime ¦ one runtime
cpu_shares: 50 ¦ services.web.cpu_shares ¦ no shares
profiles: [debug] ¦ services.web.profiles ¦ always runs
frobnicate: 1 ¦ services.web.frobnicate ¦ nothing like it
deploy: {replicas: 3} ¦ services.web.deploy.replicas ¦ runs once
deploy: {resources: {reservations: {devices: [{driver: nvidia}]}}} ¦ services.web.deploy.resources.reservations.devices ¦ graphics card
network_mode: "service:vpn" ¦ services.web.network_mode ¦ in that of another
extra_hosts: ["host.docker.internal:host-gateway"] ¦ services.web.extra_hosts[0] ¦ does not reach the machine
ports: ["80"] ¦ services.web.ports[0] ¦ none is chosen at random
ports: ["1000-2000:1000-2000"] ¦ services.web.ports[0] ¦ more than 100
ports: ["${PORT}:80"] ¦ services.web.ports[0] ¦ hangs on `PORT`
ports: ["http:80"] ¦ services.web.ports[0] ¦ not a port mapping
ports: ["99999:80"] ¦ services.web.ports[0] ¦ 99999 is not a port
volumes: ["../x:/x"] ¦ services.web.volumes[0] ¦ outside of the folder
volumes: ["~/x:/x"] ¦ services.web.volumes[0] ¦ who is logged in
volumes: ["./nginx.conf:/etc/nginx/nginx.conf"] ¦ services.web.volumes[0] ¦ single file
volumes: ["/:/host"] ¦ services.web.volumes[0] ¦ the root of everything
volumes: [{type: npipe, source: /x, target: /x}] ¦ services.web.volumes[0] ¦ `npipe`
volumes: [{type: volume, source: x, target: /x, volume: {subpath: y}}] ¦ services.web.volumes[0].volume.subpath ¦ no such option
environment: ["A={{ .Node }}"] ¦ services.web.environment[0] ¦ cannot be written as text
environment: ["A B=1"] ¦ services.web.environment[0] ¦ not the name of a variable
environment: ["A=${"] ¦ services.web.environment[0] ¦ cannot be read
cap_add: [ALL] ¦ services.web.cap_add[0] ¦ give away the machine
cap_add: [FLY] ¦ services.web.cap_add[0] ¦ no capability
security_opt: [apparmor=mine] ¦ services.web.security_opt[0] ¦ AppArmor
security_opt: [label=disable] ¦ services.web.security_opt[0] ¦ no counterpart
labels: {traefik.enable: "true"} ¦ services.web.labels.traefik.enable ¦ no proxy
healthcheck: {interval: 5s} ¦ services.web.healthcheck ¦ check of the image
healthcheck: {test: [CMD, a], start_interval: 1s} ¦ services.web.healthcheck.start_interval ¦ one interval
depends_on: [nobody] ¦ services.web.depends_on[0] ¦ no service `nobody`
hostname: "-x-" ¦ services.web.hostname ¦ not a host name
sysctls: {vm.max_map_count: 1} ¦ services.web.sysctls.vm.max_map_count ¦ whole machine
user: "a b c" ¦ services.web.user ¦ not a user
command: "a 'b" ¦ services.web.command ¦ not closed
entrypoint: "" ¦ services.web.entrypoint ¦ cannot be taken away
secrets: [s] ¦ services.web.secrets[0] ¦ not in the file
"""  # noqa: E501 - a row is a line


@pytest.mark.parametrize(
    ("written", "path", "message"), lines(NOT_CARRIED), ids=[row[0] for row in lines(NOT_CARRIED)]
)
def test_what_is_not_carried_is_told(written, path, message):
    told = notes(draft(HEAD + f"    {written}\n"), Kind.NOT_CARRIED)
    assert message in told.pop(path)
    assert told == {}


PERMISSIONS = """
ports: ["80:80"] ¦ services.web.ports[0] ¦ every network
privileged: true ¦ services.web.privileged ¦ anything on the machine
network_mode: host ¦ services.web.network_mode ¦ the machine's network
cap_add: [NET_ADMIN] ¦ services.web.cap_add[0] ¦ NET_ADMIN
devices: [/dev/dri] ¦ services.web.devices[0] ¦ /dev/dri
volumes: ["/var/run/docker.sock:/var/run/docker.sock"] ¦ services.web.volumes[0] ¦ full control
volumes: ["/DATA/Media:/m"] ¦ services.web.volumes[0] ¦ outside of the app's own folders
security_opt: [seccomp=unconfined] ¦ services.web.security_opt[0] ¦ any system call
security_opt: [apparmor=unconfined] ¦ services.web.security_opt[0] ¦ not confined by AppArmor
security_opt: ["no-new-privileges:false"] ¦ services.web.security_opt[0] ¦ gain rights
"""


@pytest.mark.parametrize(
    ("written", "path", "message"), lines(PERMISSIONS), ids=[row[0] for row in lines(PERMISSIONS)]
)
def test_a_permission_is_told(written, path, message):
    made = draft(HEAD + f"    {written}\n")
    assert message in notes(made, Kind.PERMISSION)[path]
    assert made.notes(Kind.NOT_CARRIED) == []


NEUTRAL = (
    "container_name: x",
    "expose: [80]",
    "logging: {driver: json-file, options: {max-size: 1m}}",
    "labels: [com.example=1]",
    "networks: [front]",
    "network_mode: bridge",
    "cap_drop: [ALL]",
    "x-note: {a: b}",
    "privileged: false",
    "command:",
    "tty: false",
    "deploy: {resources: {reservations: {cpus: '0.5'}}}",
)


@pytest.mark.parametrize("written", NEUTRAL)
def test_what_means_nothing_here_is_neutral_and_not_told(written):
    text = HEAD + f"    {written}\n"
    made, plain = draft(text), draft(HEAD)
    assert made.notes(Kind.NOT_CARRIED) == []
    assert made.neutral > plain.neutral or made.carried > plain.carried
    assert {k: v for k, v in web(made).items() if k != "security"} == {
        "image": "docker.io/a/web:1"
    }


# --- secrets -------------------------------------------------------------------------------------

SHOP = """
services:
  web:
    image: a/web:1
    environment:
      DATABASE_URL: postgres://shop:hunter22@db:5432/shop?x=hunter22
      DB_PASS: hunter22
      NOTE: hunter223 is another
    command: [serve, --db, db]
  db:
    image: a/db:1
    environment: [POSTGRES_PASSWORD=hunter22, POSTGRES_USER=shop]
    healthcheck: {test: [CMD, mysqladmin, ping, "-phunter22"]}
"""


def test_a_literal_becomes_one_secret_wherever_it_stands():
    made = draft(SHOP)
    assert made.app["generated_secrets"] == [{"name": "db-pass", "kind": "hex32"}]
    secret = "{{ secrets.db-pass }}"
    assert web(made)["environment"] == {
        "DATABASE_URL": f"postgres://shop:{secret}@db:5432/shop?x={secret}",
        "DB_PASS": secret,
        "NOTE": "hunter223 is another",
    }
    db = made.app["containers"]["db"]
    assert db["environment"] == {"POSTGRES_PASSWORD": secret, "POSTGRES_USER": "shop"}
    assert db["health_check"]["command"][:2] == ["sh", "-c"]


def test_a_literal_password_is_never_told():
    made = draft(SHOP)
    told = " ".join(f"{note.message} {note.hint}" for note in made.ledger.notes)
    assert "hunter22" not in told
    assert "db-pass" in told
    assert "hunter22@" not in manifest_text(made.app, "x")


@pytest.mark.parametrize(
    ("why", "test", "want"),
    [
        (
            "a flag",
            "[CMD, redis-cli, -a, shop, ping]",
            "redis-cli -a ${POSTGRES_PASSWORD} ping",
        ),
        (
            "an address",
            "psql postgres://shop:shop@db/x",
            "psql postgres://shop:${POSTGRES_PASSWORD}@db/x",
        ),
        ("what is asked of the shell", "ping $POSTGRES_PASSWORD", "ping ${POSTGRES_PASSWORD}"),
    ],
)
def test_a_health_check_takes_the_secret_from_its_variable(why, test, want):
    text = HEAD + "    environment: [POSTGRES_PASSWORD=shop, POSTGRES_USER=shop]\n"
    made = draft(text + f"    healthcheck: {{test: {test}}}\n")
    assert web(made)["health_check"]["command"] == ["sh", "-c", want], why
    assert web(made)["environment"]["POSTGRES_USER"] == "shop"


def test_a_secret_in_a_command_is_asked_because_all_can_see_it():
    text = HEAD + "    environment: [REDIS_PASSWORD=casaos]\n"
    made = draft(text + "    command: redis-server --requirepass casaos\n")
    assert web(made)["command"] == [
        "redis-server",
        "--requirepass",
        "{{ parameters.REDIS_PASSWORD }}",
    ]
    assert web(made)["environment"] == {"REDIS_PASSWORD": "{{ parameters.REDIS_PASSWORD }}"}
    assert "generated_secrets" not in made.app
    assert "asked of the operator" in notes(made, Kind.CHANGED)["services.web.environment[0]"]


def test_a_shell_takes_the_secret_from_a_variable():
    text = HEAD + "    environment: [REDIS_PASSWORD=hunter22]\n"
    made = draft(text + "    command: [sh, -c, 'redis-server --requirepass hunter22']\n")
    assert web(made)["command"] == ["sh", "-c", "redis-server --requirepass ${REDIS_PASSWORD}"]
    assert web(made)["environment"] == {"REDIS_PASSWORD": "{{ secrets.redis-password }}"}


@pytest.mark.parametrize(
    ("variable", "want"),
    [
        ("DB_PASSWORD=", {"type": "password", "required": True}),
        ("OPENAI_API_KEY=", {"type": "password", "default": ""}),
        ("API_TOKEN=your-token-here", {"type": "password", "required": True}),
        ("ADMIN_PASSWORD=$$2a$$10$$abcdefgh", {"type": "password", "required": True}),
        (
            "SITE=${SITE:?the address of it}",
            {"type": "text", "required": True, "description": "the address of it"},
        ),
    ],
)
def test_what_only_a_person_knows_is_asked(variable, want):
    made = draft(HEAD + f"    environment: ['{variable}']\n")
    (parameter,) = made.app["parameters"]
    assert parameter == {"name": variable.partition("=")[0], **want}


def test_nothing_is_asked_that_nobody_uses():
    made = draft(HEAD + "    environment: ['A B=${X}', 'C D_PASSWORD=hunter22']\n")
    assert set(notes(made, Kind.NOT_CARRIED)) == {
        "services.web.environment[0]",
        "services.web.environment[1]",
    }
    assert {"parameters", "generated_secrets"}.isdisjoint(made.app)


# --- between the services ------------------------------------------------------------------------


def test_conditions_are_carried_and_jobs_end():
    made = draft(
        TWO
        + "    healthcheck: {test: [CMD, a]}\n"
        + "  job:\n    image: a/job:1\n    restart: always\n"
        + "  last:\n    image: a/x:1\n    depends_on:\n      db: {condition: service_healthy}\n"
        + "      job: {condition: service_completed_successfully, required: true}\n"
        + "      web: {condition: service_started}\n"
    )
    containers = made.app["containers"]
    assert containers["last"]["depends_on"] == {
        "db": "healthy",
        "job": "completed",
        "web": "started",
    }
    assert containers["job"]["restart"] == "no"


def test_what_cannot_be_well_is_only_awaited_to_start():
    made = draft(TWO + "    depends_on: {web: {condition: service_healthy}}\n")
    assert made.app["containers"]["db"]["depends_on"] == {"web": "started"}
    assert "no health check" in notes(made, Kind.CHANGED)["services.db.depends_on.web.condition"]


def test_names_by_which_services_meet_are_kept():
    made = draft(
        "services:\n"
        "  Web_App:\n    image: a/a:1\n    environment: {U: 'http://my-db:5432', V: Cache.x}\n"
        "  db:\n    image: a/b:1\n    container_name: my-db\n"
        "    networks: {front: {aliases: [store]}}\n"
        "  Cache.x:\n    image: a/c:1\n    container_name: unused\n"
    )
    containers = made.app["containers"]
    assert list(containers) == ["web_app", "db", "cache-x"]
    assert containers["db"]["network_aliases"] == ["store", "my-db"]
    assert containers["cache-x"]["network_aliases"] == ["Cache.x"]
    assert "network_aliases" not in containers["web_app"]


def test_the_same_path_is_the_same_volume():
    made = draft(
        "services:\n"
        "  a:\n    image: a:1\n    volumes: ['./data:/a', './data/:/b', './data.x:/c']\n"
        "  b:\n    image: b:1\n    volumes: ['data:/named', './data:/d']\n"
        "volumes: {data: }\n"
    )
    names = {v["target"]: v["name"] for c in made.app["containers"].values() for v in c["volumes"]}
    assert names["/a"] == names["/b"] == names["/d"]
    assert len({names["/a"], names["/c"], names["/named"]}) == 3


def test_the_machines_network_has_no_published_ports():
    made = draft(HEAD + "    network_mode: host\n    ports: ['8080:80']\n")
    assert made.app["security"] == {"network_policy": "host"}
    assert "ports" not in web(made)
    assert "opened by the app" in notes(made, Kind.NOT_CARRIED)["services.web.ports[0]"]


USUAL = "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETGID SETPCAP SETUID SYS_CHROOT"


@pytest.mark.parametrize(
    ("written", "want", "told"),
    [
        ("user: '0'", USUAL, True),
        ("user: root", USUAL, True),
        ("cap_drop: [CAP_KILL]", USUAL.replace("KILL ", ""), True),
        ("cap_add: [SYS_NICE]", f"SYS_NICE {USUAL}", True),
        ("user: '1000'", "", False),
        ("cap_drop: [ALL]", "", False),
        ("cap_drop: [all]\n    cap_add: [CHOWN]", "CHOWN", False),
    ],
)
def test_the_engines_usual_capabilities_stay_for_those_who_had_them(written, want, told):
    made = draft(HEAD + f"    {written}\n")
    assert web(made).get("security", {}).get("capabilities", []) == want.split()
    assert ("services" in notes(made, Kind.PERMISSION)) is told


def test_merges_and_anchors_are_honoured():
    made = draft(
        "x-base: &base\n  image: a:1\n  restart: 'no'\n  environment: &env {A: 1, B: 2}\n"
        "services:\n  web:\n    <<: *base\n    environment: {<<: *env, B: 3}\n"
    )
    assert web(made)["environment"] == {"B": "3", "A": "1"}
    assert web(made)["restart"] == "no"
    assert made.notes(Kind.NOT_CARRIED) == []


def test_a_config_with_its_content_is_a_file_below_a_volume():
    made = draft(
        HEAD + "    volumes: ['./etc:/etc/web']\n"
        "    configs: [{source: c, target: /etc/web/web.conf}, {source: c, target: /opt/x}]\n"
        "configs: {c: {content: 'url=${URL:-x}'}}\n"
    )
    assert made.app["files"] == [{"path": "/etc/web/web.conf", "content": "url=x"}]
    assert "no volume" in notes(made, Kind.NOT_CARRIED)["services.web.configs[1]"]


def test_what_belongs_to_others_is_told():
    made = draft(
        HEAD + "volumes:\n  a: {external: true}\n  b: {driver: local, name: x}\n"
        "  c: {driver_opts: {type: nfs}}\n"
        "networks:\n  n: {external: true}\n  m: {driver: bridge}\n  o: {internal: true}\n"
        "  p: {driver: macvlan}\n"
    )
    assert set(notes(made, Kind.NOT_CARRIED)) == {
        "volumes.a.external",
        "volumes.c.driver_opts",
        "networks.n.external",
        "networks.o.internal",
        "networks.p.driver",
    }


def test_a_named_volume_that_is_a_folder_is_mounted_as_one():
    made = draft(
        HEAD + "    volumes: ['v:/v']\n"
        "volumes: {v: {driver_opts: {type: none, o: bind, device: /srv/v}}}\n"
    )
    assert web(made)["volumes"] == [{"type": "bind", "source": "/srv/v", "target": "/v"}]


def test_an_image_without_a_version_is_told():
    assert (
        "not pinned"
        in notes(draft("services: {web: {image: a}}"), Kind.CHANGED)["services.web.image"]
    )
    assert "services.web.image" not in notes(draft(HEAD), Kind.CHANGED)


@pytest.mark.parametrize(
    ("written", "want"),
    [
        ("redis", "docker.io/library/redis"),
        ("redis:7", "docker.io/library/redis:7"),
        ("a/b:1", "docker.io/a/b:1"),
        ("a/b/c@sha256:" + "0" * 64, "docker.io/a/b/c@sha256:" + "0" * 64),
        ("ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        ("localhost/b:1", "localhost/b:1"),
        ("box:5000/b:1", "box:5000/b:1"),
    ],
)
def test_an_image_has_the_registry_that_docker_means(written, want):
    assert web(draft(f"services: {{web: {{image: '{written}'}}}}"))["image"] == want


@pytest.mark.parametrize(
    ("written", "want"),
    [
        ("build: .", {"context": ".", "containerfile": "Dockerfile"}),
        (
            "build: {context: app, dockerfile: D, args: {A: 1}}",
            {"context": "app", "containerfile": "D", "args": {"A": "1"}},
        ),
        (
            "build: {context: app, args: [A=1]}",
            {"context": "app", "containerfile": "Dockerfile", "args": {"A": "1"}},
        ),
    ],
)
def test_a_folder_that_is_there_is_built(written, want):
    made = draft(f"services:\n  web:\n    {written}\n", has_folder={".", "app"}.__contains__)
    assert web(made)["build"] == want
    assert made.notes(Kind.NOT_CARRIED) == []
    assert "beside the manifest" in notes(made, Kind.CHANGED)["services.web.build"]


def test_other_files_are_not_read():
    made = draft(HEAD + "include: [other.yml]\n")
    assert "not read" in notes(made, Kind.NOT_CARRIED)["include"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services: {web: {build: ./none}}", "needs an `image`"),
        ("services: {web: {image: 'A B'}}", "a space"),
        ("services: {web: {restart: always}}", "needs an `image`"),
        ("services: {web: {image: '$IMAGE'}}", "needs an `image`"),
        ("services: {}", "needs a `container`"),
    ],
)
def test_no_manifest_is_made_without_an_image(text, message):
    made = draft(text)
    assert made.app == {}
    assert any(message in note.message for note in made.refusals)


# --- extensions ----------------------------------------------------------------------------------

CASAOS = (
    HEAD + "    ports: ['8080:80']\n    user: $PUID:$PGID\n"
    "    environment: {TZ: $TZ}\n    volumes: ['/DATA/AppData/$AppID/x:/x']\n"
    "    x-casaos: {envs: [{container: TZ}]}\n"
    "name: my_shop\n"
    "x-casaos:\n"
    "  title: {de_de: Laden, en_us: Shop}\n  description: {en_US: 'Sells.'}\n"
    "  category: Business\n"
    "  author: Packager\n  developer: Maker\n  icon: https://example.org/i.png\n  version: '1.2'\n"
    "  tagline: {en_us: It sells}\n  port_map: '8080'\n  scheme: https\n  index: /admin\n"
    "  main: web\n"
    "  architectures: [amd64, arm64]\n  store_app_id: shop\n  frob: 1\n"
)


def test_what_casaos_says_is_kept():
    made = draft(CASAOS)
    app = made.app
    assert (app["id"], app["name"], app["version"]) == ("my-shop", "Shop", "1.2")
    assert (app["description"], app["category"]) == ("Sells.", "Business")
    assert app["metadata"] == {
        "icon": "https://example.org/i.png",
        "x-tagline": "It sells",
        "x-architectures": ["amd64", "arm64"],
        "x-store-app-id": "shop",
        "author": "Maker",
        "x-packaged-by": "Packager",
    }
    assert app["interfaces"]["main"] == {
        "name": "Web UI",
        "type": "ui",
        "port": 80,
        "protocol": "https",
        "path": "/admin",
    }
    assert web(made)["user"] == "1000:1000"
    assert web(made)["environment"] == {"TZ": "Etc/UTC"}
    assert web(made)["volumes"] == [{"name": "x", "target": "/x"}]
    assert list(notes(made, Kind.NOT_CARRIED)) == ["x-casaos.frob"]


def test_an_extension_that_says_nothing_is_neutral():
    made = draft(HEAD + "x-casaos: {tips: , tagline: {}, index: '', title: {en_us: ''}}\n")
    assert made.notes(Kind.NOT_CARRIED) == []
    assert (made.carried, made.app.get("metadata")) == (1, None)


def test_a_whole_that_is_refused_has_no_part_that_is_carried():
    made = draft(HEAD + "x-casaos: {description: {en_us: '" + "x" * 10_001 + "'}}\n")
    assert made.ledger.fate_of(("x-casaos", "description", "en_us")) is Fate.NOT_CARRIED


def test_a_hint_that_names_a_literal_says_what_replaced_it():
    text = HEAD + "    environment: [DB_PASSWORD=hunter22]\n"
    made = draft(text + "x-casaos: {tips: {before_install: {en_us: 'Log in: hunter22'}}}\n")
    assert "`archipelago secret` for db-password" in made.app["alerts"]["install"]
    plain = draft(HEAD + "x-casaos: {tips: {before_install: Wait.}}\n")
    assert plain.app["alerts"] == {"install": "Wait."}


def test_a_permission_that_was_refused_is_not_told_as_given():
    made = draft(HEAD + "    cap_add: [ALL, NET_RAW]\n")
    assert "services.web.cap_add[0]" not in notes(made, Kind.PERMISSION)
    assert "services.web.cap_add[1]" in notes(made, Kind.PERMISSION)


UMBREL = {
    "id": "shop",
    "name": "Shop",
    "version": "1.0",
    "tagline": "It sells",
    "developer": "Maker",
    "port": "4321",
    "path": "/admin",
    "dependencies": ["bitcoin"],
    "gallery": ["1.jpg"],
    "manifestVersion": "1",
    "unknown": "x",
}


def test_what_umbrel_says_is_kept():
    made = draft(
        "services:\n  app_proxy:\n    environment: {APP_HOST: shop_web_1, APP_PORT: '80'}\n"
        "  web:\n    image: a/web:1\n    volumes: ['${APP_DATA_DIR}/data/x:/x']\n"
        "    environment: {P: $APP_PASSWORD, H: $DEVICE_DOMAIN_NAME, I: $APP_BITCOIN_NODE_IP}\n",
        umbrel=UMBREL,
    )
    app = made.app
    assert (app["id"], app["name"], app["version"]) == ("shop", "Shop", "1.0")
    assert app["container"]["ports"] == [{"host": 4321, "container": 80, "bind": "0.0.0.0"}]
    assert app["container"]["volumes"] == [{"name": "data-x", "target": "/x"}]
    assert app["container"]["environment"] == {
        "P": "{{ secrets.app-password }}",
        "H": "{{ HOST_MDNS }}",
        "I": "{{ parameters.APP_BITCOIN_NODE_IP }}",
    }
    assert app["dependencies"] == ["bitcoin"]
    assert app["interfaces"]["main"]["port"] == 80
    assert app["metadata"]["x-screenshots"] == ["1.jpg"]
    assert set(notes(made, Kind.NOT_CARRIED)) == {"umbrel-app.yml.unknown"}


def test_the_id_can_be_given():
    assert draft(HEAD, wanted_id="mine").app["id"] == "mine"
    assert draft(HEAD).app["id"] == "shop"


def test_the_same_file_gives_the_same_text():
    assert manifest_text(draft(SHOP).app, "x") == manifest_text(draft(SHOP).app, "x")


def test_everything_counts_once():
    made = draft(CASAOS)
    total = made.carried + made.neutral + made.not_carried
    data = parse(CASAOS.encode(), "f", foreign=True)[0][0].data
    assert total == len(list(leaves(data)))
    assert {made.ledger.fate_of(path) for path in leaves(data)} == set(Fate)
