# ruff: noqa: E501 - a row of a table is one line
"""Everything a person can get wrong has a place, a sentence, and mostly what would be right."""

import pytest

from reconciler.sources.manifests import load_documents
from reconciler.sources.yaml_documents import MAX_PROBLEMS

APP = "app:\n  id: a\n  name: A\n"  # what follows begins in line 4
ONE = APP + "  container:\n    image: a/b:1\n"  # line 6
TWO = APP + "  containers:\n    db: {image: a/db}\n    web:\n      image: a/web\n"  # line 8


def rows(head: str, table: str) -> list[tuple[str, int, int, str, str]]:
    """Return rows of `text | line:column | message | hint`; ⏎ is a line break."""
    read = []
    for row in table.strip("\n").splitlines():
        text, place, message, hint = (cell.strip() for cell in row.split("¦"))
        line, column = place.split(":")
        indent = " " * (len(row) - len(row.lstrip()))
        body = (indent + text).replace("⏎", "\n") if text else ""
        read.append((head + body + "\n", int(line), int(column), message, hint))
    return read


AT_THE_ROOT = rows(
    "",
    """
services: {} ¦ 1:1 ¦ it looks like a Compose file ¦ `containers:`
apiVersion: v1⏎kind: Pod ¦ 1:1 ¦ it looks like a Kubernetes object ¦ `app:`
approve: {app: a, by: b, at: 2026-01-01T00:00:00Z, permissions: [network host], hash: x} ¦ 1:87 ¦ the hash is not that of the list ¦ archipelago approve a
approve: {app: a, by: b, at: 2026-01-01T00:00:00Z, permissions: [capability CHOWN], hash: 1-5accd5297b035a9422f48049064e4bdb28b38992a0000c87adc54762614d79bf} ¦ 1:91 ¦ the hash is not that of the list ¦ archipelago approve a
approve: {app: a, by: b, at: 2026-01-01T00:00:00Z, permissions: [netwrk host], hash: 1-5accd5297b035a9422f48049064e4bdb28b38992a0000c87adc54762614d79bf} ¦ 1:66 ¦ `netwrk host` is not a permission ¦ did you mean `network`?
approve: {app: a, by: b, at: 2026-01-01T00:00:00Z, permissions: [path /etc], hash: 1-5accd5297b035a9422f48049064e4bdb28b38992a0000c87adc54762614d79bf} ¦ 1:66 ¦ `path /etc` is not a permission ¦ `archipelago permissions APP` prints
approve: {app: a, by: b, at: 2026-01-01T00:00:00Z, permissions: [zebra], hash: 1-5accd5297b035a9422f48049064e4bdb28b38992a0000c87adc54762614d79bf} ¦ 1:66 ¦ `zebra` is not a permission ¦ `archipelago permissions APP` prints
approve: {app: a, by: b, at: 2026-01-01T00:00:00Z, hash: 1-5accd5297b035a9422f48049064e4bdb28b38992a0000c87adc54762614d79bf} ¦ 1:1 ¦ the key `permissions` is missing ¦
ap: {} ¦ 1:1 ¦ there is no root key `ap` ¦ did you mean `app`?
zebra: {} ¦ 1:1 ¦ there is no root key `zebra` ¦ a document begins with `app:`
- a ¦ 1:1 ¦ it is not a mapping ¦ a document begins with `app:`
just text ¦ 1:1 ¦ it is not a mapping ¦ a document begins with `app:`
x-only: 1 ¦ 1:1 ¦ it has no key ¦ a document begins with `app:`
install: {app: a}⏎suspend: {app: a} ¦ 2:1 ¦ `install` and `suspend` are two documents ¦ `---`
app: ¦ 1:1 ¦ must be a mapping ¦
app: [] ¦ 1:1 ¦ must be a mapping ¦
app: {name: A, container: {image: a}} ¦ 1:1 ¦ the key `id` is missing ¦
app: {id: a, container: {image: a}} ¦ 1:1 ¦ the key `name` is missing ¦
app: {id: a, name: A} ¦ 1:1 ¦ an app needs a `container` ¦ `image:`
app: {id: a, name: A, containers: {}} ¦ 1:1 ¦ an app needs a `container` ¦ `image:`
app: {id: My_App, name: A, container: {image: a}} ¦ 1:11 ¦ `My_App` is not an app id ¦ my-app
app: {id: "_", name: A, container: {image: a}} ¦ 1:11 ¦ is not an app id ¦ home-assistant
app: {id: a, name: "", container: {image: a}} ¦ 1:20 ¦ the text is empty ¦
app: {id: a, name: [], container: {image: a}} ¦ 1:14 ¦ this is a list, where one text ¦
app: {id: a, name: {}, container: {image: a}} ¦ 1:14 ¦ this is a mapping, where one text ¦
app: {id: a, nme: A, container: {image: a}} ¦ 1:14 ¦ there is no key `nme` ¦ did you mean `name`?
install: a ¦ 1:10 ¦ must be a mapping ¦
install: {app: a, version: zebra} ¦ 1:28 ¦ `zebra` is not a range of versions ¦ >=26.0 <28
install: {app: a, overrides: {ports: [{container: 80}]}} ¦ 1:39 ¦ this changes nothing ¦ `host` port
install: {app: a, overrides: {volumes: []}} ¦ 1:31 ¦ there is no key `volumes` ¦
install: {app: a, overrides: {environment: {A: b}, containers: {main: {environment: {A: b}}}}} ¦ 1:65 ¦ `main` is changed in two places ¦ keep one
install: {app: a, parameters: {a: 1}} ¦ 1:32 ¦ `a` is not the name of a parameter ¦ ADMIN_EMAIL
install: {app: a, parameters: {A: []}} ¦ 1:32 ¦ this is a list, where one text ¦
install: {app: a, suspend: yes} ¦ 1:28 ¦ `yes` is not clear: write true or false ¦ write true
install: {app: a, suspend: "true"} ¦ 1:28 ¦ "true" is text because of its quotes ¦ drop the quotes
install: {app: a, suspend: True} ¦ 1:28 ¦ is not written so ¦ write true
install: {app: a, suspend: maybe} ¦ 1:28 ¦ `maybe` is neither true nor false ¦ true or false
suspend: {} ¦ 1:1 ¦ the key `app` is missing ¦ or say `all: true`
suspend: {all: false} ¦ 1:1 ¦ the key `app` is missing ¦ or say `all: true`
suspend: {app: a, all: true} ¦ 1:19 ¦ one app and all of them are two suspensions ¦ `---`
suspend: {all: yes} ¦ 1:16 ¦ `yes` is not clear: write true or false ¦ write true
suspend: {app: a, untill: 2026-12-01T10:00:00Z} ¦ 1:19 ¦ there is no key `untill` ¦ did you mean `until`?
suspend: {app: a, until: tomorrow} ¦ 1:26 ¦ `tomorrow` is not a date and a time ¦ 2026-12-01T10:00:00Z
suspend: {app: a, until: 2026-12-01} ¦ 1:26 ¦ `2026-12-01` is not a date and a time ¦ in UTC
suspend: {app: a, until: 2026-13-01T10:00:00Z} ¦ 1:26 ¦ is not a date and a time ¦ in UTC
suspend: {app: a, until: 2026-12-01T10:00:00} ¦ 1:26 ¦ does not say in which time zone ¦ in UTC
suspend: {app: a, until: 0001-01-01T00:00:00+10:00} ¦ 1:26 ¦ is not a date and a time ¦ in UTC
suspend: {app: a, until: []} ¦ 1:19 ¦ this is a list, where one text ¦
suspend: {app: a, keep_running: 1} ¦ 1:33 ¦ `1` is not clear: write true or false ¦ write true
""",
)

IN_THE_APP = rows(
    ONE,
    """
  custom: [] ¦ 6:3 ¦ `custom` is not available in this version ¦ remove
  network: {egress: wan} ¦ 6:21 ¦ `wan` is not one of internet, lan, none ¦ did you mean `lan`?
  update: {strategy: recreate} ¦ 6:22 ¦ is not one of replace, blue-green ¦ write replace
  update: {strategy: blue-green} ¦ 6:22 ¦ needs one published port of tcp, and this app has none ¦ write replace
  update: {strategy: blue-green}⏎  ports: [{host: 80, container: 80}, {host: 81, container: 81}] ¦ 6:22 ¦ needs one published port of tcp, and this app has 2 ¦ write replace
  update: {strategy: blue-green}⏎  ports: [{host: 80, container: 80, protocol: udp}] ¦ 7:47 ¦ needs a port of tcp, not udp ¦ write tcp
  update: {strategy: blue-green}⏎  ports: [{host: 80, container: 80, bind: "::"}] ¦ 7:43 ¦ leads addresses of IPv4 alone, not :: ¦ 0.0.0.0
  update: {strategy: blue-green}⏎  ports: [{host: 80, container: 80}]⏎  volumes: [{name: data, target: /data}] ¦ 8:34 ¦ both revisions would write to `/data` at once ¦ options: [ro]
  update: {strategy: blue-green}⏎  ports: [{host: 80, container: 80}]⏎  volumes: [{type: bind, source: /srv, target: /data}] ¦ 8:48 ¦ both revisions would write to `/data` at once ¦ options: [ro]
  update: {strategy: blue-green}⏎  security: {network_policy: host} ¦ 6:22 ¦ needs a network of the app's own, not `network_policy: host` ¦ write replace
  update: {health_deadline: 0s} ¦ 6:29 ¦ 0s is out of bounds ¦ 86400s
  backup: {exclude: [a b]} ¦ 6:22 ¦ `a b` is not the name of a volume ¦ data
  backup: {pre: ""} ¦ 6:17 ¦ the command is empty ¦
  provides: [a] ¦ 6:14 ¦ `a` need not be provided: it is its own id ¦ remove it
  provides: [b, {name: b}] ¦ 6:17 ¦ `b` need not be provided: it is given twice ¦ remove it
  provides: [My Name] ¦ 6:14 ¦ `My Name` is not an app id ¦ my-name
  connections: [{to: a, ports: [1]}] ¦ 6:22 ¦ no connection to itself ¦ remove it
  connections: [{to: b, ports: []}] ¦ 6:25 ¦ needs at least one port ¦
  dependencies: [{app_id: b, version: ">>1"}] ¦ 6:39 ¦ `>>1` is not a range of versions ¦ ^1.2
  dependencies: [{app_id: b, ports: [0]}] ¦ 6:38 ¦ 0 is not a port ¦
  dependencies: [{storage: 1Gi, version: "1"}] ¦ 6:33 ¦ room for data has no `version` ¦
  exports: {values: {1a: x}} ¦ 6:22 ¦ `1a` is not the name of an export ¦ RPC_HOST
  exports: {values: {A: "{{ secrets.b }}"}} ¦ 6:25 ¦ declares no secret `b` ¦ generated_secrets
  exports: {values: {A: "{{ dependencies.b.host }}"}}⏎  dependencies: [b] ¦ 6:25 ¦ cannot pass on what another app exports ¦ that app itself
  exports: {files: {a: {volume: v}}} ¦ 6:33 ¦ this app has no volume `v` ¦
  exports: {files: {a: {volume: data, path: x}}} ¦ 6:45 ¦ `x` is not an absolute path ¦
  dependencies: [{app_id: b, files: [{from: a}]}] ¦ 6:38 ¦ the key `target` is missing ¦
  dependencies: [{app_id: b, files: [{from: a, target: /a}, {from: b, target: /a}]}] ¦ 6:79 ¦ two things are mounted at `/a` ¦ another
  dependencies: [{storage: 1Gi, files: []}] ¦ 6:33 ¦ room for data has no `files` ¦
  alerts: {install: 5, remove: x} ¦ 6:24 ¦ there is no key `remove` ¦
  parameters: [{name: a}] ¦ 6:23 ¦ `a` is not the name of a parameter ¦ ADMIN_EMAIL
  parameters: [{name: A, type: string}] ¦ 6:32 ¦ is not one of text, random ¦ write text
  parameters: [{name: A, type: number, default: x}] ¦ 6:49 ¦ `x` is not a number ¦ 8
  parameters: [{name: A, type: select}] ¦ 6:16 ¦ needs `options` ¦ words to choose from
  parameters: [{name: A, options: [b]}] ¦ 6:26 ¦ type text has no `options` ¦ select
  parameters: [{name: A, type: select, options: [b], default: c}] ¦ 6:63 ¦ `c` is not one of b ¦ choose
  parameters: [{name: A}, {name: A}] ¦ 6:34 ¦ the name `A` is given twice ¦ remove one
  generated_secrets: [{name: a b}] ¦ 6:30 ¦ `a b` is not the name of a secret ¦ db-password
  generated_secrets: [{name: a, kind: hex}] ¦ 6:39 ¦ is not one of hex16 ¦ write hex32
  generated_secrets: [{name: a}, {name: a}] ¦ 6:41 ¦ the name `a` is given twice ¦ remove one
  files: [{path: /etc/a, content: x}] ¦ 6:18 ¦ lies in no volume ¦ mount a volume
  files: [{path: a, content: x}] ¦ 6:18 ¦ `a` is not an absolute path ¦
  files: [{path: /a}] ¦ 6:11 ¦ the key `content` is missing ¦
  files: [{path: /v/a, content: BIG}]⏎  volumes: [{name: v, target: /v}] ¦ 6:33 ¦ 262144 are the most ¦
  files: [{path: /v/a, content: x}]⏎  volumes: [{name: v, target: /v, options: [ro]}] ¦ 6:18 ¦ lies in no volume that can be written ¦ not with `ro`
  files: [{path: /v/a, content: x}, {path: /v/a, content: x}]⏎  volumes: [{name: v, target: /v}] ¦ 6:44 ¦ `/v/a` is given twice ¦ remove one
  files: [{path: /v/a, content: "{{ secrets.x }}"}]⏎  volumes: [{name: v, target: /v}] ¦ 6:33 ¦ no secret `x` ¦ generated_secrets
  files: [{path: /v/a, content: "{{ x }}"}]⏎  volumes: [{name: v, target: /v}] ¦ 6:33 ¦ no template `{{x}}` ¦ known are
  environment: {A: "{{ x }}"} ¦ 6:20 ¦ there is no template `{{x}}` ¦ known are
  environment: {A: "{{ parameters.B }}"} ¦ 6:20 ¦ this app declares no parameter `B` ¦ app.parameters
  environment: {A: "{{ dependencies.db.host }}"} ¦ 6:20 ¦ this app declares no dependency `db` ¦ app.dependencies
  environment: {A: "{{ secrets.key }}"}⏎  generated_secrets: [{name: kex}] ¦ 6:20 ¦ no secret `key` ¦ did you mean `kex`?
  environment: {A: "{{ secrets.k.hash }}"}⏎  generated_secrets: [{name: k}] ¦ 6:20 ¦ has no hash: it is of kind hex32 ¦ bcrypt
  imagee: a ¦ 6:3 ¦ there is no key `imagee` ¦
  image: a ¦ 6:3 ¦ there is no key `image` here ¦ move it under `container`
  colour: red ¦ 6:3 ¦ there is no key `colour` here ¦
  version: ¦ 6:3 ¦ there is no value ¦ remove the key
  version: a b ¦ 6:12 ¦ `a b` is not a version ¦ 1.2.3
  category: "a\\tb" ¦ 6:13 ¦ line breaks or control characters ¦
  category: LONG ¦ 6:13 ¦ 300 characters, 256 are the most ¦
  description: "a\\x07" ¦ 6:16 ¦ has control characters ¦
  description: PROSE ¦ 6:16 ¦ 10001 characters, 10000 are the most ¦
  metadata: {tags: a} ¦ 6:20 ¦ must be a list ¦ `- `
  metadata: {autor: a} ¦ 6:14 ¦ there is no key `autor` ¦ did you mean `author`?
  dependencies: [a] ¦ 6:18 ¦ an app cannot depend on itself ¦ remove
  dependencies: [b, app_id: b] ¦ 6:21 ¦ the dependency `b` is given twice ¦ remove one
  dependencies: [storage: 1G, storage: 2G] ¦ 6:31 ¦ the dependency `storage` is given twice ¦ remove
  dependencies: [{}] ¦ 6:18 ¦ either an `app_id` or `storage` ¦
  dependencies: [{storage: 1G, optional: true}] ¦ 6:32 ¦ room for data cannot be optional ¦
  dependencies: [{storage: 0}] ¦ 6:28 ¦ a size of `0` leaves nothing ¦ 512Mi
  dependencies: [4.] ¦ 6:18 ¦ `4.` is not an app id ¦ 4
  dependencies: b ¦ 6:17 ¦ must be a list ¦
  resources: {memory_limit: 2Gigs} ¦ 6:29 ¦ `2Gigs` is not a size ¦ did you mean 2Gi
  resources: {memory_limit: 0} ¦ 6:29 ¦ a size of `0` leaves nothing ¦ 512Mi
  resources: {memory_limit: 512} ¦ 6:29 ¦ 512 bytes are too few ¦ did you mean 512Mi?
  resources: {memory_limit: 4k} ¦ 6:29 ¦ 4000 bytes are too few ¦ 512Mi
  resources: {memory_limit: 1Gi, memory_reservation: 2Gi} ¦ 6:54 ¦ more memory is reserved ¦
  resources: {cpu_limit: 0} ¦ 6:26 ¦ `0` cores would never run ¦ 0.5
  resources: {cpu_limit: 5m} ¦ 6:26 ¦ 0.005 is out of bounds ¦ from 0.01
  resources: {pids_limit: 0} ¦ 6:27 ¦ 0 is out of bounds ¦ from 1 to
  resources: {pids_limit: many} ¦ 6:27 ¦ `many` is not a whole number ¦ decimal digits
  security: {capabilities: [ALL]} ¦ 6:29 ¦ `ALL` would give away the machine ¦ name
  security: {capabilities: [NET_ADMN]} ¦ 6:29 ¦ no capability `NET_ADMN` ¦ did you mean `NET_ADMIN`?
  security: {network_policy: "a b"} ¦ 6:30 ¦ neither isolated, none, host, nor the name of a network ¦ write isolated
  security: {userns: keep-id} ¦ 6:22 ¦ `keep-id` is no namespace of users ¦ write host or auto
  security: {network_policy: isolate} ¦ 6:30 ¦ nor the name of a network ¦ did you mean `isolated`?
  security: {user: "a b"} ¦ 6:20 ¦ `a b` is not a user ¦ 1000:1000
  security: {user: "1:4294967295"} ¦ 6:20 ¦ too large for a user or group ¦ at most
  ports: ["8080:80"] ¦ 6:11 ¦ the short form `8080:80` ¦ write {host: 8080, container: 80}
  ports: [127.0.0.1:53:53/udp] ¦ 6:11 ¦ the short form ¦ host: 53, container: 53, protocol: udp, bind: 127.0.0.1
  ports: [8080] ¦ 6:11 ¦ the short form `8080` ¦ write {host: 8080, container: 8080}
  ports: [http] ¦ 6:11 ¦ the short form `http` ¦ write {host: 8080, container: 80}
  ports: [[]] ¦ 6:11 ¦ must be a mapping ¦
  ports: [{host: 80}] ¦ 6:11 ¦ the key `container` is missing ¦
  ports: [{host: 0, container: 80}] ¦ 6:18 ¦ 0 is not a port ¦ from 1 to 65535
  ports: [{host: 70000, container: 80}] ¦ 6:18 ¦ 70000 is not a port ¦ from 1 to 65535
  ports: [{host: "80", container: 80}] ¦ 6:18 ¦ "80" is text because of its quotes ¦ drop the quotes: 80
  ports: [{host: 0777, container: 80}] ¦ 6:18 ¦ can be read as octal ¦ write 777, or 511
  ports: [{host: 0o17, container: 80}] ¦ 6:18 ¦ can be read as octal ¦ write 17, or 15
  ports: [{host: 1, container: 1, protocol: tpc}] ¦ 6:45 ¦ not one of tcp, udp, sctp ¦ did you mean `tcp`?
  ports: [{host: 1, container: 1, bind: lan}] ¦ 6:41 ¦ `lan` is not an IP address ¦ 0.0.0.0
  ports: [{host: 1, container: 1, bind: "fe80::1%eth0"}] ¦ 6:41 ¦ is not an IP address ¦ 0.0.0.0
  ports: [{host: 1, container: 1}, {host: 1, container: 2}] ¦ 6:43 ¦ port 127.0.0.1:1/tcp of this machine is published twice ¦ another
  ports: [{host: 1, container: 1}, {host: 1, container: 2, bind: 0.0.0.0}] ¦ 6:43 ¦ the other time as 127.0.0.1:1/tcp ¦ another
  ports: [{host: 1, container: 1, name: w}, {host: 2, container: 2, name: w}] ¦ 6:75 ¦ two ports have the name `w` ¦
  volumes: ["data:/data:ro"] ¦ 6:13 ¦ the short form `data:/data:ro` ¦ write {name: data, target: /data}
  volumes: ["/srv/x:/data"] ¦ 6:13 ¦ the short form ¦ {type: bind, source: /srv/x, target: /data}
  volumes: [./x] ¦ 6:13 ¦ the short form ¦ {type: bind, source: /srv/data, target: /data}
  volumes: [{target: /d}] ¦ 6:13 ¦ a volume of type volume needs a `name` ¦
  volumes: [{name: d}] ¦ 6:13 ¦ the key `target` is missing ¦
  volumes: [{name: d, target: d}] ¦ 6:31 ¦ `d` is not an absolute path ¦ begin it with `/`
  volumes: [{name: d, target: /}] ¦ 6:31 ¦ `/` is the root of everything ¦ below it
  volumes: [{name: d, target: /a/../..}] ¦ 6:31 ¦ leads back up with `..` ¦
  volumes: [{name: d, target: "/a\\nb"}] ¦ 6:31 ¦ cannot be a path ¦
  volumes: [{name: "d d", target: /d}] ¦ 6:20 ¦ `d d` is not the name of a volume ¦ data
  volumes: [{name: d, target: /d, source: /s}] ¦ 6:35 ¦ type volume has no `source` ¦ `type: bind`
  volumes: [{type: bind, target: /d}] ¦ 6:13 ¦ type bind needs a `source` ¦
  volumes: [{type: bind, source: ./s, target: /d}] ¦ 6:34 ¦ `./s` is not an absolute path ¦ `/`
  volumes: [{type: bind, source: /, target: /d}] ¦ 6:34 ¦ `/` is the root of everything ¦ below it
  volumes: [{type: tmpfs, source: /s, target: /d}] ¦ 6:27 ¦ type tmpfs has no `source` ¦ memory
  volumes: [{name: d, target: /d, size: 1Gi}] ¦ 6:35 ¦ type volume has no `size` ¦ tmpfs
  volumes: [{type: nfs, target: /d}] ¦ 6:20 ¦ `nfs` is not one of volume, bind, tmpfs ¦
  volumes: [{name: d, target: /d, options: [fast]}] ¦ 6:45 ¦ `fast` is not one of rw, ro ¦
  volumes: [{name: d, target: /d, options: [rw, ro]}] ¦ 6:35 ¦ `rw` and `ro` contradict each other ¦
  volumes: [{name: d, target: /d}, {name: e, target: /d/}] ¦ 6:54 ¦ two things are mounted at `/d` ¦ another
  environment: [A] ¦ 6:17 ¦ the variable `A` has no value ¦ ""
  environment: [A: 1] ¦ 6:17 ¦ not of the form KEY=value ¦
  environment: [A=1, A=2] ¦ 6:22 ¦ the variable `A` is given twice ¦
  environment: ["1A=x"] ¦ 6:17 ¦ `1A` is not the name of a variable ¦ DATABASE_URL
  environment: {A B: x} ¦ 6:17 ¦ `A B` is not the name of a variable ¦ DATABASE_URL
  environment: {A: } ¦ 6:17 ¦ the variable `A` has no value ¦ ""
  environment: {A: [1]} ¦ 6:17 ¦ the value of `A` must be one text ¦
  environment: {A: "\\0"} ¦ 6:20 ¦ has a NUL character ¦
  environment: A=1 ¦ 6:16 ¦ must be a mapping, or a list of `KEY=value` ¦
  health_check: {endpoint: "80"} ¦ 6:3 ¦ the key `type` is missing ¦
  health_check: {type: cmd} ¦ 6:24 ¦ `cmd` is not one of http, tcp, exec ¦ write `type: exec`
  health_check: {type: http} ¦ 6:3 ¦ type http needs `endpoint` ¦ http://localhost:8080
  health_check: {type: tcp} ¦ 6:3 ¦ type tcp needs `endpoint` ¦ localhost:5432
  health_check: {type: exec} ¦ 6:3 ¦ type exec needs `command` ¦ pg_isready
  health_check: {type: exec, command: "a || exit 1"} ¦ 6:39 ¦ needs a shell ¦ [sh, -c, "…"]
  health_check: {type: exec, command: [CMD-SHELL, a]} ¦ 6:30 ¦ `CMD-SHELL` is not part ¦ leave out
  health_check: {type: exec, command: a, path: /} ¦ 6:42 ¦ type exec has no `path` ¦
  health_check: {type: tcp, endpoint: "5432", path: /} ¦ 6:47 ¦ type tcp has no `path` ¦
  health_check: {type: http, endpoint: "80", command: a} ¦ 6:46 ¦ type http has no `command` ¦
  health_check: {type: tcp, endpoint: "localhost:1", port: 2} ¦ 6:54 ¦ the port is given twice ¦ remove one
  health_check: {type: tcp, endpoint: localhost} ¦ 6:3 ¦ type tcp needs `endpoint` ¦ localhost:5432
  health_check: {type: http, endpoint: "ftp://localhost:1"} ¦ 6:40 ¦ cannot ask over ftp ¦
  health_check: {type: http, endpoint: "http://a b/"} ¦ 6:40 ¦ is not an endpoint ¦ http://localhost:8080
  health_check: {type: http, endpoint: "localhost:0"} ¦ 6:40 ¦ 0 is not a port ¦ from 1 to 65535
  health_check: {type: http, endpoint: "other:80"} ¦ 6:40 ¦ `other` is not this container ¦ localhost
  health_check: {type: http, endpoint: LONG} ¦ 6:40 ¦ is not this container ¦
  health_check: {type: http, endpoint: PROSE} ¦ 6:40 ¦ 10001 characters ¦
  health_check: {type: http, endpoint: "80", path: "/a b"} ¦ 6:52 ¦ is not the path of a URL ¦ %
  health_check: {type: http, endpoint: "80", interval: 0s} ¦ 6:56 ¦ 0s is out of bounds ¦ from 1s
  health_check: {type: http, endpoint: "80", timeout: 0} ¦ 6:55 ¦ without any time ¦ 5s
  health_check: {type: http, endpoint: "80", timeout: 2h} ¦ 6:55 ¦ 7200s is out of bounds ¦ 3600s
  health_check: {type: http, endpoint: "80", retries: 0} ¦ 6:55 ¦ 0 is out of bounds ¦ from 1 to 100
  health_check: {type: http, endpoint: "80", start_period: soon} ¦ 6:60 ¦ `soon` is not a duration ¦ 30s
  hooks: {pre_install: []} ¦ 6:11 ¦ there is no key `pre_install` ¦ post_install
  hooks: {post_install: [DEEP]} ¦ 6:26 ¦ nested deeper than 16 ¦
  hooks: {post_install: [MANY]} ¦ 6:11 ¦ more than 1000 values ¦
  interfaces: {main: 80} ¦ 6:22 ¦ must be a mapping ¦
  containers: {web: {image: a}} ¦ 6:3 ¦ either `container` or `containers`, not both ¦ move all
""".replace("LONG", "a" * 300)
    .replace("PROSE", "a" * 10_001)
    .replace("BIG", "a" * 262_145)
    .replace("DEEP", "[" * 20 + "]" * 20)
    .replace("MANY", "[a,a],[a,a]," * 200),
)

IN_THE_CONTAINER = rows(
    ONE,
    """
    build: web ¦ 6:5 ¦ either made from an `image` or by a `build` ¦ remove one
    ports: [{host: 80, container: 80}]⏎    restart: on-failure⏎  update: {strategy: blue-green} ¦ 7:14 ¦ needs a container that goes on, not `restart: on-failure` ¦ write always
    comand: a ¦ 6:5 ¦ there is no key `comand` ¦ did you mean `command`?
    cap_add: [CHOWN] ¦ 6:5 ¦ there is no key `cap_add` ¦ capabilities
    shm_size: 64 ¦ 6:15 ¦ too few for any process ¦ 64Mi
    devices: []⏎  devices: [] ¦ 7:3 ¦ `app.devices` and `app.container.devices` say the same twice ¦ keep
    devices: [ttyUSB0] ¦ 6:15 ¦ `ttyUSB0` is not an absolute path ¦ begin it with `/`
    devices: [/etc/passwd] ¦ 6:15 ¦ `/etc/passwd` is not a device ¦ /dev/ttyUSB0
    devices: ["/dev/a:/dev/b:x"] ¦ 6:15 ¦ `x` is not some of r, w and m ¦ rw
    devices: [{path: /dev/a, optional: yes}] ¦ 6:40 ¦ `yes` is not clear: write true or false ¦ write true
    ulimits: {nofiles: 1} ¦ 6:15 ¦ `nofiles` cannot be limited ¦ did you mean `nofile`?
    ulimits: {zebra: 1} ¦ 6:15 ¦ `zebra` cannot be limited ¦ known are core, cpu
    ulimits: {nofile: -2} ¦ 6:23 ¦ -2 is not a limit ¦ unlimited
    ulimits: {nofile: {soft: 2, hard: 1}} ¦ 6:30 ¦ the soft limit is larger than the hard one ¦
    ulimits: {nofile: {soft: unlimited, hard: 1}} ¦ 6:30 ¦ the soft limit is larger than the hard one ¦
    ulimits: {nofile: []} ¦ 6:15 ¦ must be a mapping ¦
    sysctls: {kernel.hostname: a} ¦ 6:15 ¦ `kernel.hostname` would change the whole machine ¦ net.*
    sysctls: [net.core.somaxconn] ¦ 6:15 ¦ not of the form key=value ¦
    sysctls: {net.core.somaxconn: []} ¦ 6:15 ¦ this is a list, where one text ¦
    sysctls: {net.core.somaxconn: "a\tb"} ¦ 6:35 ¦ cannot be a kernel setting's value ¦
    sysctls: 1 ¦ 6:14 ¦ must be a mapping, or a list ¦
    extra_hosts: [nas] ¦ 6:19 ¦ not of the form name:address ¦
    extra_hosts: {nas: 10.0.0} ¦ 6:24 ¦ `10.0.0` is not an IP address ¦ 10.0.0.1
    extra_hosts: ["a b:10.0.0.1"] ¦ 6:19 ¦ `a b` is not a host name ¦ nextcloud
    extra_hosts: ["nas:host-gateway"] ¦ 6:19 ¦ `host-gateway` is not available ¦ address itself
    extra_hosts: {nas: []} ¦ 6:19 ¦ this is a list, where one text ¦
    extra_hosts: 1 ¦ 6:18 ¦ must be a mapping, or a list ¦
    dns: [router] ¦ 6:11 ¦ `router` is not an IP address ¦
    security: {apparmor_profile: a b} ¦ 6:34 ¦ `a b` is not an AppArmor profile ¦ the name of a profile
    security: {apparmor_profile: requird} ¦ 6:34 ¦ `requird` is not an AppArmor profile ¦ did you mean `required`?
    security: {privileged: true, apparmor_profile: required} ¦ 6:52 ¦ has no AppArmor profile ¦
    security: {userns: auto} ¦ 6:16 ¦ there is no key `userns` ¦ `app.security`
    security: {seccomp_profile: none} ¦ 6:33 ¦ `none` is not a seccomp profile ¦ default, strict, unconfined
    resources: {disk_limit: 0} ¦ 6:29 ¦ leaves nothing ¦ 512Mi
    security: {network_policy: host} ¦ 6:16 ¦ there is no key `network_policy` ¦ `app.security`
    security: {privileged: yes} ¦ 6:28 ¦ `yes` is not clear: write true or false ¦ write true
    security: {readonly: true} ¦ 6:16 ¦ there is no key `readonly` ¦ did you mean `readonly_root`?
    pull_policy: missing ¦ 6:18 ¦ `missing` is not one of if-not-present ¦ write if-not-present
    command: "a 'b" ¦ 6:14 ¦ a quote or a backslash ¦ close it
    command: "" ¦ 6:14 ¦ the command is empty ¦ remove the key
    command: [a, [b]] ¦ 6:18 ¦ each word of a command is one text ¦ quotes
    command: [a, ~] ¦ 6:18 ¦ each word of a command is one text ¦ quotes
    command: ["a\\0"] ¦ 6:5 ¦ NUL ¦
    entrypoint: {} ¦ 6:5 ¦ this is a mapping ¦
    restart: unless-stopped ¦ 6:14 ¦ is not one of always, on-failure, no ¦ write always
    init: 1 ¦ 6:11 ¦ `1` is not clear: write true or false ¦ write true
    init: [] ¦ 6:5 ¦ a list is neither true nor false ¦
    hostname: -a ¦ 6:15 ¦ `-a` is not a host name ¦ nextcloud
    network_aliases: [a b] ¦ 6:23 ¦ `a b` is not a name in a network ¦ database
    stop_signal: SIGTREM ¦ 6:18 ¦ `SIGTREM` is not the name of a signal ¦ did you mean `SIGTERM`?
    stop_signal: "9" ¦ 6:18 ¦ is not the name of a signal ¦ SIGTERM
    stop_grace_period: 2d ¦ 6:24 ¦ 172800s is out of bounds ¦ 86400s
    tmpfs: [/a, /a] ¦ 6:17 ¦ two things are mounted at `/a` ¦ another
    tmpfs: /a ¦ 6:12 ¦ must be a list ¦
    derived_env: [{key: A, template: "{{HOST_PI}}"}] ¦ 6:38 ¦ no template `{{HOST_PI}}` ¦ did you mean `HOST_IP`?
    derived_env: [{key: A, template: "{{HOST_IP"}] ¦ 6:38 ¦ is not closed ¦ {{ HOST_IP }}
    derived_env: [{key: A, template: "HOST_IP}}"}] ¦ 6:38 ¦ closed without being opened ¦ {{ HOST_IP }}
    secret_env: [{key: A, secret: b}] ¦ 6:35 ¦ this app declares no secret `b` ¦ generated_secrets
    command: [run, "{{ secrets.k }}"]⏎  generated_secrets: [{name: k}] ¦ 6:20 ¦ seen by all in the list of processes ¦ variable
    secret_env: [{key: A}] ¦ 6:18 ¦ the key `secret` is missing ¦
    secret_env: [{key: A, secret: a}, {key: A, secret: b}] ¦ 6:45 ¦ `A` is given twice ¦
    depends_on: [main] ¦ 6:5 ¦ cannot wait for itself ¦ remove
    depends_on: [db] ¦ 6:5 ¦ this app has no container `db` ¦
    depends_on: [db, db] ¦ 6:5 ¦ `db` is given twice ¦
    depends_on: db ¦ 6:17 ¦ must be a mapping ¦
    depends_on: {db: {condition: service_healthy}} ¦ 6:18 ¦ one of started, healthy ¦ `db: started`
    depends_on: {db: service_healthy} ¦ 6:22 ¦ is not one of started ¦ write healthy
    user: 1000⏎  security: {user: 1000} ¦ 7:14 ¦ `user` is given twice ¦ remove one
    ports: []⏎  ports: [] ¦ 7:3 ¦ `app.ports` and `app.container.ports` say the same twice ¦ keep
    ports: [{host: 1, container: 1}]⏎  security: {network_policy: host} ¦ 6:5 ¦ every port of the app is open already ¦ remove
    user: "1"⏎  security: {network_policy: host, userns: auto} ¦ 7:44 ¦ exclude each other ¦ remove one
    ports: [{host: 1, container: 1}]⏎  security: {network_policy: none} ¦ 6:5 ¦ no port can be reached ¦ remove
    image: c ¦ 6:5 ¦ the key `image` is given twice: first in line 5 ¦ remove
    x-a: 1⏎    8: 1 ¦ 7:5 ¦ the key `8` is not a text ¦ quotes
""",
)

FOR_IMAGES = rows(
    APP,
    """
  container: {image: "alpine; rm -rf /"} ¦ 4:22 ¦ `;` at position 7 ¦ ghcr.io
  container: {image: "$(id)"} ¦ 4:22 ¦ `$` at position 1 ¦ ghcr.io
  container: {image: "a`id`"} ¦ 4:22 ¦ at position 2 ¦ ghcr.io
  container: {image: "a|b"} ¦ 4:22 ¦ `|` at position 2 ¦ ghcr.io
  container: {image: "a b"} ¦ 4:22 ¦ a space at position 2 ¦ ghcr.io
  container: {image: Owner/app} ¦ 4:22 ¦ not the name ¦ owner
  container: {image: owner/App} ¦ 4:22 ¦ upper-case letter `A` at position 7 ¦ write owner/app
  container: {imagee: a} ¦ 4:15 ¦ there is no key `imagee` ¦ did you mean `image`?
  container: {} ¦ 4:3 ¦ a container needs an `image` ¦ image:
  container: {image: } ¦ 4:15 ¦ there is no value ¦ give one
  container: a/b ¦ 4:14 ¦ must be a mapping ¦
  container: {build: /abs} ¦ 4:22 ¦ `/abs` is absolute ¦ relative
  container: {build: ../up} ¦ 4:22 ¦ leads out of the manifest's directory ¦
  container: {build: ""} ¦ 4:22 ¦ is not a path ¦
  container: {build: {dockerfile: a, context: .}} ¦ 4:23 ¦ there is no key `dockerfile` ¦ `containerfile`
  container: {build: {context: ., colour: a}} ¦ 4:35 ¦ there is no key `colour` ¦
  container: {build: {}} ¦ 4:15 ¦ the key `context` is missing ¦
  containers: {Web: {image: a}} ¦ 4:16 ¦ `Web` is not the name of a container ¦ db
  containers: {web: a} ¦ 4:21 ¦ must be a mapping ¦
  containers: [web] ¦ 4:3 ¦ must be a mapping ¦
""".replace("¦ not the name ¦ owner", "¦ upper-case letter `O` at position 1 ¦ owner/app"),
)

BETWEEN_CONTAINERS = rows(
    TWO,
    """
  update: {strategy: blue-green} ¦ 8:22 ¦ is for apps of one container, and this one has 2 ¦ write replace
  ports: [] ¦ 8:3 ¦ `ports` belongs to one container, and this app has several ¦ app.containers.<name>.ports
  security: {readonly_root: true} ¦ 8:3 ¦ `security` belongs to one container ¦ app.containers.<name>
      depends_on: [dbs] ¦ 8:7 ¦ this app has no container `dbs` ¦ did you mean `db`?
      depends_on: {db: healthy} ¦ 8:24 ¦ `db` has no `health_check` ¦ write started
      depends_on: {db: completed} ¦ 8:24 ¦ `db` is always started again ¦ restart: no
      network_aliases: [db] ¦ 8:25 ¦ the name `db` already means container `db` ¦
      health_check: {type: tcp, endpoint: "db:1"} ¦ 8:43 ¦ `db` is another container ¦ health_check of its own
""",
)

RINGS = [
    (
        APP + "  containers:\n"
        "    a: {image: a, depends_on: [b]}\n"
        "    b: {image: a, depends_on: [c]}\n"
        "    c: {image: a, depends_on: [a]}\n",
        5,
        19,
        "wait for each other in a ring: a → b → c → a",
        "remove one of these",
    ),
    (
        APP + "  containers:\n"
        "    a: {image: a, depends_on: [b]}\n"
        "    b: {image: a, depends_on: [c]}\n"
        "    c: {image: a, depends_on: [b]}\n",
        6,
        19,
        "in a ring: b → c → b",
        "remove one of these",
    ),
    (
        APP + "  containers:\n"
        "    a: {image: a, ports: [{host: 1, container: 1}]}\n"
        "    b: {image: a, ports: [{host: 1, container: 2}]}\n",
        6,
        34,
        "published twice",
        "another",
    ),
]

BOUNDS = [
    (
        APP + "  containers:\n" + "".join(f"    c{n}: {{image: a}}\n" for n in range(65)),
        4,
        3,
        "65 containers are too many, 64 the most",
        "",
    ),
    (ONE + f"  ports: [{'a,' * 1001}]", 6, 3, "the list has 1001 entries, 1000 are the most", ""),
]

ROWS = [
    *BOUNDS,
    *AT_THE_ROOT,
    *IN_THE_APP,
    *IN_THE_CONTAINER,
    *FOR_IMAGES,
    *BETWEEN_CONTAINERS,
    *RINGS,
]
JARGON = ("Input should", "valid dictionary", "pydantic", "validation error", "Extra inputs")


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"),
    ROWS,
    ids=[f"{number}-{row[3][:40]}" for number, row in enumerate(ROWS)],
)
def test_a_mistake_is_told_where_it_is(text, line, column, message, hint):
    loaded = load_documents(text.encode(), "a.yml")
    assert loaded.documents == ()
    assert [str(problem) for problem in loaded.problems][1:] == []
    (problem,) = loaded.problems
    assert (problem.origin.line, problem.origin.column) == (line, column), str(problem)
    assert message in problem.message
    assert hint in problem.hint
    assert problem.message.startswith("cannot ")
    assert not any(word in str(problem) for word in JARGON)


def test_all_mistakes_of_a_file_are_told_at_once_in_order():
    text = (
        "app:\n  id: a\n  naem: A\n  version: 1 2\n  container:\n    image: A b\n    init: yes\n"
        "  ports: [{host: 0, container: 80}]\n---\ninstall: {app: B}\n---\nsuspend: {app: good}\n"
    )
    loaded = load_documents(text.encode(), "a.yml")
    assert [p.origin.line for p in loaded.problems] == [3, 4, 6, 7, 8, 10]
    assert [p.app for p in loaded.problems] == ["a"] * 5 + [None]
    assert [(d.app, d.start_line, d.end_line) for d in loaded.documents] == [("good", 11, 12)]


def test_a_file_that_is_all_wrong_is_told_up_to_a_bound():
    text = ONE + "  environment: [" + "A=1," * 1000 + "]\n  ports: [x, y]\n"
    problems = load_documents(text.encode(), "a.yml").problems
    assert len(problems) == MAX_PROBLEMS + 1
    assert "2 problems follow" in problems[-1].message


def test_only_so_many_mistakes_of_one_mapping_are_told():
    mapping = "".join(f"      n{number}: helthy\n" for number in range(150))
    problems = load_documents((ONE + "    depends_on:\n" + mapping).encode(), "a.yml").problems
    assert len(problems) == 100


def test_a_document_with_a_doubled_key_is_not_used():
    loaded = load_documents((ONE + "  name: B\n---\ninstall: {app: b}\n").encode(), "a.yml")
    assert [d.app for d in loaded.documents] == ["b"]
    assert [(p.origin.line, p.app) for p in loaded.problems] == [(6, "a")]
