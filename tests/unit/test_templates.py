"""Templates: what may stand in them, and what they become."""

import pytest

from reconciler.core.filling import (
    FillingError,
    Provided,
    Scope,
    fill,
    fill_plain,
    parameter_values,
    secrets,
)
from reconciler.model.manifest.app import AppManifest
from reconciler.model.secret import SecretKind, SecretRef, SecretSpec, is_plain, joined, plain
from reconciler.model.template import (
    FACTS,
    Placeholder,
    TemplateError,
    TemplateKind,
    parse_template,
)

FACT, PARAMETER, SECRET, APP, DEPENDENCY = TemplateKind
AT_RANDOM = (SecretRef("web", "parameter-a"),)
KEY = SecretRef("web", "key")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", ()),
        ("plain { } text", ("plain { } text",)),
        ("{{HOST_IP}}", (Placeholder(FACT, "HOST_IP"),)),
        ("a{{ HOST_IP }}b", ("a", Placeholder(FACT, "HOST_IP"), "b")),
        ("{{ parameters.NAME }}", (Placeholder(PARAMETER, "NAME"),)),
        ("{{ secrets.db-key }}", (Placeholder(SECRET, "db-key"),)),
        ("{{ secrets.db.hash }}", (Placeholder(SECRET, "db", hashed=True),)),
        ("{{ app.host }}{{ app.id }}", (Placeholder(APP, "host"), Placeholder(APP, "id"))),
        ("{{ dependencies.db.host }}", (Placeholder(DEPENDENCY, "host", "db"),)),
        ("{{ dependencies.b-c.RPC }}", (Placeholder(DEPENDENCY, "RPC", "b-c"),)),
    ],
)
def test_a_template_in_pieces(text, pieces):
    assert parse_template(text) == pieces


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{{HOST_PI}}", "no template `{{HOST_PI}}`", "did you mean `HOST_IP`?"),
        ("{{ zebra }}", "no template `{{zebra}}`", "known are HOST_IP"),
        ("{{ app.port }}", "no template `{{app.port}}`", "known are"),
        ("{{ secrets. }}", "no template", "known are"),
        ("{{ parameters.a.b }}", "no template", "known are"),
        ("{{}}", "no template `{{}}`", "known are"),
        ("{{ {{ HOST_IP }} }}", "no template", "HOST_IP"),
        ("{{HOST_IP", "not closed", "{{ HOST_IP }}"),
        ("HOST_IP}}", "not closed", "{{ HOST_IP }}"),
        ("{{" + "a" * 99 + "}}", "…", "known are"),
        ("{{\x1b}}", r"\x1b", "known are"),
    ],
)
def test_what_is_no_template_is_named(text, message, hint):
    with pytest.raises(TemplateError) as caught:
        parse_template(text)
    assert message in str(caught.value)
    assert hint in caught.value.hint


SCOPE = Scope(
    "web",
    facts={"HOST_IP": "10.0.0.1", "BITCOIN_HOST": "elsewhere"},
    parameters={"NAME": ("ada",), "EMPTY": (), "PASS": (SecretRef("web", "parameter-pass"),)},
    dependencies={
        "db": Provided("postgres", {"URL": ("pg://", SecretRef("postgres", "password"))}),
        "bitcoin": Provided("bitcoin-knots"),
    },
)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("", ()),
        ("as it is", ("as it is",)),
        ("{{ HOST_IP }}:{{ parameters.NAME }}", ("10.0.0.1:ada",)),
        ("a{{ parameters.EMPTY }}b", ("ab",)),
        ("{{ parameters.EMPTY }}", ()),
        ("{{ app.host }}/{{ app.id }}", ("web/web",)),
        ("x{{ secrets.key }}y", ("x", KEY, "y")),
        ("{{ secrets.key.hash }}", (SecretRef("web", "key", hashed=True),)),
        ("{{ dependencies.db.host }}", ("postgres",)),
        ("{{ dependencies.db.URL }}/x", ("pg://", SecretRef("postgres", "password"), "/x")),
        ("{{ dependencies.not-there.host }}", ()),
        ("{{ BITCOIN_HOST }}", ("bitcoin-knots",)),
        ("{{ parameters.PASS }}", (SecretRef("web", "parameter-pass"),)),
    ],
)
def test_what_a_template_becomes(text, filled):
    assert fill(text, SCOPE) == filled


def test_a_value_is_never_a_template_itself():
    scope = Scope("web", parameters={"NAME": ("{{ HOST_IP }}",)})
    assert fill("{{ parameters.NAME }}", scope) == ("{{ HOST_IP }}",)


def test_without_the_app_itself_the_fact_says_where_bitcoin_is():
    assert fill("{{ BITCOIN_HOST }}", Scope("a", facts=SCOPE.facts)) == ("elsewhere",)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{{ DISK_GB }}", "not known on this box", "under [facts]: DISK_GB"),
        ("{{ dependencies.db.URI }}", "`postgres` exports no `URI`", "it exports URL"),
        ("{{ dependencies.bitcoin.RPC }}", "exports no `RPC`", "it exports nothing"),
    ],
)
def test_what_is_not_to_be_had_is_named(text, message, hint):
    with pytest.raises(FillingError) as caught:
        fill(text, SCOPE)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_command_takes_no_secret_by_whatever_way_it_comes():
    assert fill_plain("{{ parameters.NAME }}!", SCOPE) == "ada!"
    for text in ("{{ parameters.PASS }}", "{{ dependencies.db.URL }}"):
        with pytest.raises(FillingError, match="list of processes"):
            fill_plain(text, SCOPE)


def test_texts_with_secrets_are_shown_by_name():
    assert plain(("a", KEY, "b")) == "a{{ secrets.key }}b"
    assert (is_plain(("a",)), is_plain(("a", KEY))) == (True, False)
    assert joined(("a", "b", KEY, "", "c", "d")) == ("ab", KEY, "cd")


# Parameters


def asking(*parameters, **more):
    given = {"id": "web", "name": "Web", "container": {"image": "a"}}
    return AppManifest.model_validate(given | {"parameters": list(parameters)} | more)


@pytest.mark.parametrize(
    ("parameter", "given", "value"),
    [
        ({"name": "A"}, {}, ()),
        ({"name": "A", "default": "x"}, {}, ("x",)),
        ({"name": "A", "default": "x"}, {"A": "y"}, ("y",)),
        ({"name": "A", "default": "x"}, {"A": ""}, ("",)),
        ({"name": "A", "default": 5, "type": "number"}, {}, ("5",)),
        ({"name": "A", "type": "random"}, {}, AT_RANDOM),
        ({"name": "A", "type": "random", "required": True}, {}, AT_RANDOM),
        ({"name": "A", "type": "random"}, {"A": "mine"}, ("mine",)),
    ],
)
def test_a_parameter_is_given_or_by_default_or_random_or_empty(parameter, given, value):
    assert parameter_values(asking(parameter), given) == {"A": value}


@pytest.mark.parametrize(
    ("parameter", "given", "message", "hint"),
    [
        ({"name": "A"}, {"B": "x"}, "there is no parameter `B`", "there are: A"),
        ({"name": "A", "required": True}, {}, "`A` has no value", "under `parameters`"),
        ({"name": "A", "type": "number"}, {"A": "x"}, "`A`: `x` is not a number", "8"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(parameter, given, message, hint):
    with pytest.raises(FillingError) as caught:
        parameter_values(asking(parameter), given)
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert caught.value.parameter == (next(iter(given), "A"))


def test_an_app_without_parameters_takes_none():
    with pytest.raises(FillingError) as caught:
        parameter_values(asking(), {"B": "x"})
    assert caught.value.hint == "there are: none"


def test_a_random_parameter_is_a_secret_like_any_other():
    manifest = asking(
        {"name": "PASS", "type": "random"}, generated_secrets=[{"name": "a", "kind": "base64"}]
    )
    assert secrets(manifest, parameter_values(manifest, {})) == (
        SecretSpec("web", "a", SecretKind.BASE64),
        SecretSpec("web", "parameter-pass", SecretKind.HEX16),
    )
    assert secrets(manifest, parameter_values(manifest, {"PASS": "x"})) == (
        SecretSpec("web", "a", SecretKind.BASE64),
    )


FITS = {
    "text": ["a b", ""],
    "random": ["x"],
    "password": ["p w"],
    "boolean": ["true", "false"],
    "number": ["5", "-1.5"],
    "email": ["ada@example.org", "a.b+c@localhost"],
    "url": ["https://example.org/x?y", "postgres://db:5432/a"],
    "ip": ["10.0.0.1", "fd00::1"],
    "fqdn": ["a.example.org"],
    "select": ["one"],
}
DOES_NOT = {
    "text": ["a\nb", "\0", "x" * 5000],
    "random": ["a\nb"],
    "password": ["a\nb", "s3cret\0"],
    "boolean": ["yes", "True"],
    "number": ["5a", "", "0x5"],
    "email": ["ada", "a@b@c", "@example.org"],
    "url": ["example.org", "https://", "http://a:99999/", "https://a b", "http://[::1"],
    "ip": ["10.0.0", "localhost"],
    "fqdn": ["localhost", "a..b", "-a.b"],
    "select": ["two", ""],
}


def parameter(kind):
    options = {"options": ["one"]} if kind == "select" else {}
    return asking({"name": "A", "type": kind} | options)


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, vs in FITS.items() for v in vs])
def test_what_fits_a_type(kind, value):
    assert parameter_values(parameter(kind), {"A": value}) == {"A": (value,)}


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, vs in DOES_NOT.items() for v in vs])
def test_what_does_not_fit_a_type(kind, value):
    with pytest.raises(FillingError) as caught:
        parameter_values(parameter(kind), {"A": value})
    assert caught.value.hint
    if kind in {"random", "password"}:
        assert "s3cret" not in str(caught.value)


def test_every_fact_may_be_asked_for():
    scope = Scope("a", facts=dict.fromkeys(FACTS, "x"))
    assert [fill(f"{{{{ {name} }}}}", scope) for name in FACTS] == [("x",)] * len(FACTS)
