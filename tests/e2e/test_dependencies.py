"""What an app requires is installed with it, and goes with it."""

import json

import pytest

pytestmark = [pytest.mark.podman, pytest.mark.e2e]

SERVE = "mkdir -p /tmp/w; echo ok > /tmp/w/index.html; exec busybox httpd -f -p 8080 -h /tmp/w"


def entry(box, app, *, command="exec busybox sleep 1000", **more):
    container = {
        "image": "localhost/test/busybox:1",
        "pull_policy": "never",
        "stop_grace_period": 0,
        "command": ["sh", "-c", command],
        "tmpfs": ["/tmp"],
        **more.pop("container", {}),
    }
    document = {"app": {"id": app, "name": app, "container": container, **more}}
    (box.catalogue / app).mkdir(exist_ok=True)
    (box.catalogue / app / "manifest.yml").write_text(json.dumps(document))


def install(box, app, **more):
    (box.desired / f"{app}.yml").write_text(json.dumps({"install": {"app": app, **more}}))


@pytest.fixture
def shop(box, busybox_image):
    made = box()
    check = {"type": "http", "endpoint": "http://localhost:8080", "interval": "1s"}
    entry(
        made,
        "postgres",
        command=SERVE,
        version="16.4",
        provides=["database"],
        health_check=check,
        exports={"values": {"URL": "pg://{{ app.host }}/x"}},
        alerts={"uninstall": "The data stays in its volume."},
    )
    entry(
        made,
        "shop",
        dependencies=[{"app_id": "database", "version": ">=15 <17", "restart_with": True}],
        container={"environment": {"URL": "{{ dependencies.database.URL }}"}},
    )
    return made


def test_a_dependency_comes_from_the_catalogue_and_goes_when_nobody_needs_it(shop):
    install(shop, "shop")
    shop.start().wait_ready("shop", "postgres")
    status = {a["id"]: a for a in shop.status()["apps"]}
    assert (status["postgres"]["requested"], status["postgres"]["required_by"]) == (
        False,
        ["shop"],
    )
    assert status["shop"]["requires"] == ["postgres"]
    assert shop.podman("exec", shop.container("shop")["Id"], "sh", "-c", "echo $URL") == (
        "pg://postgres/x"
    )
    refused = shop.run("remove", "postgres", check=False)
    assert refused.returncode == 1
    assert "it was installed because shop requires it; remove shop" in refused.stderr
    assert "installed for shop" in shop.run("status").stdout
    drawn = shop.run("graph").stdout
    assert "shop\n└── postgres [installed as a dependency]" in drawn
    assert '"shop" -> "postgres"' in shop.run("graph", "--output", "dot").stdout
    shop.run("remove", "shop")
    shop.wait_gone("shop", "postgres")


def test_a_dependency_that_starts_anew_is_followed_where_that_is_asked_for(shop):
    install(shop, "shop")
    shop.start().wait_ready("shop", "postgres")
    before = shop.container("shop")
    shop.podman("kill", shop.container("postgres")["Id"])

    def followed(status):
        shop_now = next(a for a in status["apps"] if a["id"] == "shop")
        return shop_now["containers"][0]["pid"] not in {0, before["Pid"]}

    shop.wait(followed, "the shop to follow")
    shop.wait_ready("shop", "postgres")
    assert shop.container("shop")["Id"] == before["Id"]


def test_the_wrong_version_holds_the_app_and_says_which(shop):
    exports = {"values": {"URL": "x"}}
    entry(shop, "postgres", version="17.0", provides=["database"], exports=exports)
    install(shop, "shop")
    told = shop.run("apply", check=False)
    assert told.returncode == 1
    text = "requires database >=15 <17, and postgres is 17.0"
    assert text in shop.run("status").stdout
    assert [c["Labels"]["io.archipelago.app"] for c in shop.containers().values()] == ["postgres"]


def test_an_install_may_change_ports_variables_and_limits(shop):
    install(
        shop,
        "shop",
        version="*",
        overrides={"environment": {"EXTRA": "1"}, "resources": {"pids_limit": 55}},
    )
    entry(shop, "shop", version="1.0")
    shop.run("apply")
    inspected = json.loads(shop.podman("inspect", shop.container("shop")["Id"]))[0]
    assert "EXTRA=1" in inspected["Config"]["Env"]
    assert inspected["HostConfig"]["PidsLimit"] == 55
