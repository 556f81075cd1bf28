"""Where a setting comes from, and what is said of one that cannot be used."""

from pathlib import Path

import pytest

from reconciler import config
from reconciler.config import Settings, load_settings
from reconciler.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _no_system_file(tmp_path, monkeypatch):
    """What this machine's operator wrote is no part of a test."""
    monkeypatch.setattr(config, "SYSTEM_FILE", tmp_path / "etc.toml")


@pytest.fixture
def toml(tmp_path):
    def write(text, name="archipelago.toml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def load(flags=None, variables=None, file=None):
    return load_settings(flags or {}, variables or {}, file)


def complaint(flags=None, variables=None, file=None):
    with pytest.raises(ConfigurationError) as raised:
        load(flags, variables, file)
    return str(raised.value)


def test_without_a_word_the_defaults_hold():
    settings = load(variables={"HOME": "/home/me"})
    assert settings.instance == "archipelago"
    assert settings.interval == 60
    assert settings.prune_limit == 3
    assert settings.metrics == "127.0.0.1:9465"
    assert settings.podman is None
    assert (settings.desired_state, settings.catalogue) == (Path("desired-state"), Path("apps"))
    assert (settings.defaults.cpu, settings.defaults.memory, settings.defaults.pids) == (
        None,
        None,
        2048,
    )


@pytest.mark.parametrize(
    ("why", "flags", "variables", "written", "want"),
    [
        ("a flag comes first", {"interval": 4}, {"ARCHIPELAGO_INTERVAL": "3"}, "interval = 2", 4),
        ("then the environment", {}, {"ARCHIPELAGO_INTERVAL": "3"}, "interval = 2", 3),
        ("then the file", {}, {}, "interval = 2", 2),
        ("then the default", {}, {}, "", 60),
        ("an empty variable says nothing", {}, {"ARCHIPELAGO_INTERVAL": ""}, "interval = 2", 2),
        ("variables of others are theirs", {}, {"INTERVAL": "3"}, "", 60),
    ],
)
def test_who_is_heard(why, flags, variables, written, want, toml):
    assert load(flags, variables, toml(written)).interval == want, why


def test_the_file_is_the_one_that_is_named_or_the_systems(toml):
    system = toml("prune_limit = 7", "etc.toml")
    assert load().prune_limit == 7
    named = toml("prune_limit = 8")
    assert load(file=named).prune_limit == 8
    assert load(variables={"ARCHIPELAGO_CONFIG": str(named)}).prune_limit == 8
    assert load(variables={"ARCHIPELAGO_CONFIG": str(system)}, file=named).prune_limit == 8


def test_the_systems_file_may_be_missing_but_a_named_one_may_not(tmp_path):
    assert load().prune_limit == 3
    gone = tmp_path / "gone.toml"
    assert complaint(file=gone) == f"cannot read the settings: {gone} does not exist"


def test_the_policy_is_beside_the_settings_or_where_they_say(toml, tmp_path):
    named = toml("prune_limit = 8", "mine.toml")
    assert load(file=named).policy == tmp_path / "policy.toml"
    (tmp_path / "x").mkdir()
    other = toml("", "x/policy.toml")
    assert load(variables={"ARCHIPELAGO_POLICY": str(other)}).policy == other
    assert load(file=toml(f'policy = "{other}"')).policy == other


def test_a_policy_that_was_named_has_to_be_there(toml, tmp_path):
    gone = tmp_path / "gone.toml"
    file = toml(f'policy = "{gone}"')
    assert complaint(file=file) == f"cannot use `policy` from {file}: {gone} is not there"


def test_limits_are_a_table_of_the_file(toml):
    limits = load(file=toml("[defaults]\ncpu = 0.5\nmemory = 268435456\npids = 64")).defaults
    assert (limits.cpu, limits.memory, limits.pids) == (0.5, 2**28, 64)


def test_state_is_kept_apart_for_each_instance():
    one = load({"state_dir": Path("/s"), "instance": "one"})
    two = load({"state_dir": Path("/s"), "instance": "two"})
    assert (one.state_dir, two.state_dir) == (Path("/s/one"), Path("/s/two"))


@pytest.mark.parametrize(
    ("why", "user", "variables", "want"),
    [
        ("root's is the system's", 0, {"HOME": "/root"}, "/var/lib/archipelago/state"),
        ("a user's is at home", 1000, {"HOME": "/home/me"}, "/home/me/.local/state/archipelago"),
        (
            "or where the user keeps such things",
            1000,
            {"HOME": "/home/me", "XDG_STATE_HOME": "/x"},
            "/x/archipelago",
        ),
    ],
)
def test_where_state_is_kept(why, user, variables, want, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert load(variables=variables).state_dir == Path(want, "archipelago"), why


@pytest.mark.parametrize(
    ("why", "user", "variables", "given", "want"),
    [
        ("root's is the system's", 0, {"HOME": "/root"}, False, "/var/lib/archipelago"),
        ("a user's is at home", 1000, {"HOME": "/me"}, False, "/me/.local/share/archipelago"),
        ("or where XDG says", 1000, {"XDG_DATA_HOME": "/x"}, False, "/x/archipelago"),
        ("unless it is this user's", 1000, {"HOME": "/me"}, True, "/var/lib/archipelago"),
    ],
)
def test_where_data_is_kept(why, user, variables, given, want, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("os.access", lambda *_: given)
    assert load(variables=variables).data_dir == Path(want), why


BAD = [
    ("interval", "0", "greater than or equal to 1"),
    ("interval", "soon", "valid number"),
    ("interval", "nan", "less than or equal to 86400"),
    ("instance", "Two Words", "lower-case letters"),
    ("instance", "a" * 33, "32 at most"),
    ("prune_limit", "-1", "greater than or equal to 0"),
    ("prune_limit", "some", "valid integer"),
    ("log_format", "xml", "console, json or auto"),
    ("lan", "192.168.1.7/24", "written as 192.168.0.0/16"),
]


@pytest.mark.parametrize(("name", "value", "words"), BAD)
def test_a_mistake_names_the_setting_and_where_it_was_written(name, value, words, toml):
    variable = f"ARCHIPELAGO_{name.upper()}"
    flag = f"--{name.replace('_', '-')}"
    file = toml(f'{name} = "{value}"')
    for place, told in [
        (flag, complaint({name: value})),
        (variable, complaint(variables={variable: value})),
        (str(file), complaint(file=file)),
    ]:
        assert told.partition("`")[2].startswith(name), told
        assert f"` from {place}: " in told
        assert words in told


def test_the_local_network_is_several_ranges(toml):
    assert "192.168.0.0/16" in load().lan
    told = load(variables={"ARCHIPELAGO_LAN": "192.168.1.0/24, fd01::/64 10.0.0.7"})
    assert told.lan == ("192.168.1.0/24", "fd01::/64", "10.0.0.7/32")
    assert load(file=toml('lan = ["192.168.1.0/24"]')).lan == ("192.168.1.0/24",)
    assert load(file=toml("lan = []")).lan == ()


def test_all_mistakes_are_told_at_once(toml):
    told = complaint({"instance": "?"}, {"ARCHIPELAGO_PRUNE_LIMIT": "x"}, toml("interval = 0"))
    assert [line.split("`")[1] for line in told.splitlines()] == [
        "instance",
        "interval",
        "prune_limit",
    ]


def test_an_unknown_setting_is_named_with_its_file_and_all_there_are(toml):
    file = toml("intervall = 5")
    told = complaint(file=file)
    assert told.startswith(f"cannot use {file}: there is no setting `intervall` (there are: ")
    assert all(name in told for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("text", "name"), [("cpu = 0", "cpu"), ("memory = 1", "memory"), ("pids = 1", "pids")]
)
def test_a_bad_limit_is_named_with_its_table(text, name, toml):
    file = toml(f"[defaults]\n{text}")
    assert complaint(file=file).startswith(f"cannot use `defaults.{name}` from {file}: ")


def test_an_unknown_limit_is_named_with_its_table(toml):
    assert "defaults.disk" in complaint(file=toml("[defaults]\ndisk = 1"))


@pytest.mark.parametrize("content", [b"interval = ", b"[", b"interval = 1\ninterval = 2", b"\xff"])
def test_a_file_that_is_no_toml_is_named(content, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    assert complaint(file=file).startswith(f"cannot read the settings: {file}: ")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert complaint(file=tmp_path) == f"cannot read the settings: {tmp_path}: Is a directory"


def test_metrics_can_be_turned_off(toml):
    assert load(variables={"ARCHIPELAGO_METRICS": "off"}).metrics is None
    assert load(file=toml('metrics = "off"')).metrics is None
    assert load().metrics == "127.0.0.1:9465"


GIT = '[git]\nurl = "https://git.example.org/box.git"\n'


def test_of_a_git_source_the_desired_state_is_what_was_checked_out(toml):
    settings = load({"state_dir": Path("/state")}, file=toml(GIT))
    assert settings.desired_state == Path("/state/archipelago/git/current")
    assert (settings.git.ref, settings.git.verify, settings.git.path) == ("main", "off", None)


WRONG_GIT = {
    'ref = "-x"': "`git.ref` from {file}: name a branch",
    'verify = "all"': "`git.verify` from {file}: it is off, head, range or tag",
    'webhook = "127.0.0.1:1"': "`webhook` and `webhook_secret_file` belong together",
    'push = true\nref = "refs/tags/live"': "`push` needs a branch as `ref`, and refs/tags/live is",
    'path = "/etc"': "cannot use `git.path` from {file}",
    "depth = 1": "there is no setting `git.depth`",
}


@pytest.mark.parametrize("line", WRONG_GIT)
def test_a_mistake_about_git_is_named(line, toml):
    file = toml(GIT + line)
    assert WRONG_GIT[line].format(file=file) in complaint(file=file)


def test_one_source_is_enough(toml):
    told = complaint({"desired_state": Path("x")}, file=toml(GIT))
    assert "cannot use --desired-state: with [git] the desired state comes from there" in told


def test_a_password_in_an_address_is_refused_and_not_told(toml):
    told = complaint(file=toml('[git]\nurl = "https://me:s3cret@git.example.org/x"\n'))
    assert "name that as `token_file`" in told
    assert "s3cret" not in told


@pytest.mark.parametrize("url", ["--upload-pack=x", "", "a b"])
def test_an_address_is_one_word(url, toml):
    assert "`git.url`" in complaint(file=toml(f'[git]\nurl = "{url}"\n'))


def test_places_of_export_are_a_list_or_words_with_commas(toml):
    places = ("syslog", "file:/mnt/x")
    assert load(file=toml('audit_export = ["syslog", "file:/mnt/x"]')).audit_export == places
    assert (
        load(variables={"ARCHIPELAGO_AUDIT_EXPORT": "syslog, file:/mnt/x"}).audit_export == places
    )
    told = complaint(variables={"ARCHIPELAGO_AUDIT_EXPORT": "mail"})
    assert "from ARCHIPELAGO_AUDIT_EXPORT: a place is file:/path" in told
