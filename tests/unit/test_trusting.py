"""Whose images may be run: the trust file beside what is proved. Tables of it, and its gates."""

import pytest
from builders import app, container, desired, observed, seen, situation
from msgspec.structs import replace

from reconciler.core import proving, trusting
from reconciler.core.planner import compare_all, plan
from reconciler.model.change import Action, Reason
from reconciler.model.container import BuildSpec, PullPolicy
from reconciler.model.evidence import Evidence
from reconciler.model.observed import ContainerState
from reconciler.model.pin import Past, Pin, Signer
from reconciler.model.signature import Denial, Findings, Signature, Subject
from reconciler.model.signature import SignatureFormat as Format
from reconciler.model.trust import (
    Check,
    Mode,
    Scope,
    SignatureRecords,
    Standing,
    Trust,
    TrustedKey,
)

REPOSITORY = "registry.example/team/web"
IMAGE = f"{REPOSITORY}:1"
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
SUBJECT = Subject(REPOSITORY, DIGEST)
KEYS = (
    TrustedKey("alias", "alice-id", "alice pem"),
    *(TrustedKey(name, f"{name}-id", f"{name} pem") for name in ("alice", "bob", "carol")),
)
ALL = frozenset(k.id for k in KEYS)
TEAM = Scope("registry.example/team", any_of=("alice", "bob"))


def trust(*scopes, mode=Mode.ENFORCE):
    return Trust(mode, KEYS, scopes or (TEAM,))


def classic(key="alice", identity=REPOSITORY):
    return Signature(f"{key}-id", Format.CLASSIC, identity)


def bundle(key="alice"):
    return Signature(f"{key}-id", Format.BUNDLE)


def findings(*signatures, refused=(), tried=ALL, error=""):
    return Findings(tried, signatures, tuple(refused), error)


def evidence(found=None, given=None, **more):
    found = {SUBJECT: found} if isinstance(found, Findings) else (found or {})
    more = {"free_bytes": 2**40} | more
    return Evidence(trust=given or trust(), signatures=found, **more)


def pinned(**more):
    return container("web", **({"image": IMAGE, "pin": DIGEST} | more))


def thought(found=None, *scopes, of=None, **more):
    given = evidence(found, trust(*scopes), **more)
    return trusting.verdict(of or pinned(), given)


ONE = Scope(REPOSITORY, any_of=("alice",))
BOTH = Scope(REPOSITORY, all_of=("alice", "bob"))


@pytest.mark.parametrize(
    ("why", "found", "scopes", "signers"),
    [
        ("a key of the scope signed it", findings(classic()), (TEAM,), ("alice",)),
        ("either key is enough", findings(classic("bob")), (TEAM,), ("bob",)),
        ("all have signed", findings(classic(), classic("bob")), (BOTH,), ("alice", "bob")),
        ("others do not matter", findings(classic(), classic("carol")), (TEAM,), ("alice",)),
        (
            "the registry itself is a scope",
            findings(classic()),
            (Scope("registry.example", any_of=("alice",)),),
            ("alice",),
        ),
        (
            "the longest name decides",
            findings(classic("bob")),
            (Scope("registry.example", any_of=("alice",)), Scope(REPOSITORY, any_of=("bob",))),
            ("bob",),
        ),
        ("a bundle of a key for this repository alone", findings(bundle()), (ONE,), ("alice",)),
        (
            "a bundle that may be of any repository",
            findings(bundle()),
            (replace(TEAM, allow_unbound_identity=True),),
            ("alice",),
        ),
        (
            "a mirror of what was signed",
            findings(classic(identity="origin.example/group/web")),
            (replace(TEAM, remap="origin.example/group"),),
            ("alice",),
        ),
        ("the name was signed with a tag", findings(classic(identity=IMAGE)), (TEAM,), ("alice",)),
        (
            "what else is beside it proves nothing, and harms nothing",
            findings(classic(), refused=[*Denial]),
            (TEAM,),
            ("alice",),
        ),
        (
            "what was proved stays true while nobody answers",
            findings(classic(), error="cannot ask"),
            (TEAM,),
            ("alice",),
        ),
        (
            "other keys need not have been tried",
            findings(classic(), tried=frozenset()),
            (),
            ("alice",),
        ),
    ],
)
def test_an_image_is_trusted_when(why, found, scopes, signers):
    told = thought(found, *scopes)
    assert (told.standing, told.signers) == (Standing.TRUSTED, signers), why
    assert told.permits


@pytest.mark.parametrize(
    ("why", "found", "scopes", "denial", "says"),
    [
        ("nobody signed", findings(), (TEAM,), Denial.UNSIGNED, "it has no signature"),
        (
            "a stranger",
            findings(refused=[Denial.UNKNOWN_SIGNER]),
            (),
            Denial.UNKNOWN_SIGNER,
            "nobody who counts here",
        ),
        (
            "a known key of another scope",
            findings(classic("carol")),
            (),
            Denial.UNKNOWN_SIGNER,
            "",
        ),
        ("one of two", findings(classic()), (BOTH,), Denial.UNKNOWN_SIGNER, "bob is missing"),
        (
            "a format that does not count",
            findings(classic()),
            (replace(TEAM, formats=(Format.BUNDLE,)),),
            Denial.UNKNOWN_SIGNER,
            "",
        ),
        (
            "an attestation",
            findings(refused=[Denial.NOT_A_SIGNATURE]),
            (),
            Denial.NOT_A_SIGNATURE,
            "no signature of an image",
        ),
        (
            "it was moved",
            findings(refused=[Denial.NOT_A_SIGNATURE, Denial.DIGEST_MISMATCH]),
            (),
            Denial.DIGEST_MISMATCH,
            "of another image",
        ),
        (
            "it is of another repository",
            findings(classic(identity="registry.example/team/db")),
            (),
            Denial.IDENTITY_MISMATCH,
            "of this repository",
        ),
        ("it names none", findings(classic(identity="")), (), Denial.IDENTITY_MISMATCH, ""),
        ("it names nonsense", findings(classic(identity="a b")), (), Denial.IDENTITY_MISMATCH, ""),
        (
            "the name below another mirror",
            findings(classic()),
            (replace(TEAM, remap="origin.example/group"),),
            Denial.IDENTITY_MISMATCH,
            "",
        ),
        ("a bundle, and a key for many", findings(bundle()), (), Denial.IDENTITY_MISMATCH, ""),
        (
            "a bundle, and a key that is in two scopes",
            findings(bundle()),
            (ONE, Scope("registry.example/db", any_of=("alice",))),
            Denial.IDENTITY_MISMATCH,
            "",
        ),
        (
            "a bundle, and a key that is in two scopes by two names",
            findings(bundle()),
            (ONE, Scope("registry.example/db", any_of=("alias",))),
            Denial.IDENTITY_MISMATCH,
            "",
        ),
        (
            "a scope below decides, not the one above",
            findings(classic()),
            (Scope("registry.example", any_of=("alice",)), Scope(REPOSITORY, any_of=("bob",))),
            Denial.UNKNOWN_SIGNER,
            "",
        ),
        (
            "no scope covers it",
            findings(classic()),
            (Scope("registry.example/tea", any_of=("alice",)),),
            Denial.UNTRUSTED,
            "no scope of the trust file covers registry.example/team/web",
        ),
        (
            "nobody answers",
            findings(tried=frozenset(), error="cannot ask X: gone"),
            (),
            Denial.UNREACHABLE,
            "cannot ask X: gone",
        ),
        ("nobody answers again", findings(error="cannot ask X"), (), Denial.UNSIGNED, ""),
    ],
)
def test_an_image_is_not_trusted_when(why, found, scopes, denial, says):
    told = thought(found, *scopes)
    assert (told.standing, told.denial) == (Standing.DENIED, denial), why
    assert told.message.startswith(f"cannot prove who made {IMAGE}: ")
    assert says in told.message
    assert not told.permits


@pytest.mark.parametrize(
    ("why", "found"),
    [
        ("nothing was looked for", None),
        ("a key was not tried yet", findings(tried=frozenset({"alice-id"}))),
        ("it was of another image", {Subject(REPOSITORY, OTHER): findings(classic())}),
        ("it was of another repository", {Subject("x.example/web", DIGEST): findings(classic())}),
    ],
)
def test_nobody_knows_yet_when(why, found):
    told = thought(found)
    assert (told.standing, told.permits) == (Standing.PENDING, False), why


def test_what_is_made_on_this_box_is_local():
    build = BuildSpec("/x", "Containerfile", (), "0" * 64)
    made = container("web", image="localhost/archipelago/web-main:0", build=build)
    for local in (made, container("web", image="localhost/own:1")):
        assert thought(of=local).standing is Standing.LOCAL
    assert thought(of=container("web", image="localhost:5000/own:1")).standing is Standing.DENIED


def test_docker_has_two_names():
    hub = Scope("docker.io/library/nginx", any_of=("alice",))
    it = container("web", image="docker.io/library/nginx:1", pin=DIGEST)
    signed = findings(classic(identity="index.docker.io/library/nginx"))
    found = {Subject("docker.io/library/nginx", DIGEST): signed}
    assert thought(found, hub, of=it).standing is Standing.TRUSTED


@pytest.mark.parametrize(
    ("wanted", "signed", "scope", "standing"),
    [
        ("cosign://", "alice", TEAM, Standing.TRUSTED),
        ("cosign://sha256:abc", "alice", TEAM, Standing.TRUSTED),
        ("cosign://key/alice", "alice", TEAM, Standing.TRUSTED),
        ("cosign://key/bob", "alice", TEAM, Standing.DENIED),
        ("cosign://key/carol", "carol", TEAM, Standing.DENIED),
        ("cosign://key/alice", "alice", BOTH, Standing.DENIED),
    ],
)
def test_a_manifest_may_only_ask_for_more(wanted, signed, scope, standing):
    told = thought(findings(classic(signed)), scope, of=pinned(signature=wanted))
    assert told.standing is standing


def test_without_a_trust_file_only_who_asks_is_denied():
    nobody = Evidence()
    assert trusting.verdict(pinned(), nobody).standing is Standing.OPEN
    told = trusting.verdict(pinned(signature="cosign://key/alice"), nobody)
    assert told.standing is Standing.DENIED
    assert "there is no trust file" in told.message


def test_a_trust_file_that_cannot_be_used_trusts_nobody():
    broken = Evidence(trust=Trust(problem="trust.yaml:1:1: what"), signatures={})
    for it in (pinned(), container("web")):
        told = trusting.verdict(it, broken)
        assert told.standing is Standing.DENIED
        assert "trust.yaml:1:1: what" in told.message


def test_a_verdict_tells_how_it_came_about():
    told = thought(findings(classic("carol"), bundle("bob"), classic()), of=pinned())
    assert told.steps == (
        "registry.example/team/web is covered by the scope registry.example/team",
        "one must have signed it: alice, bob",
        "a bundle signature by bob does not count (identity_mismatch)",
        "a classic signature by alice for registry.example/team/web counts",
        (
            "a classic signature by carol for registry.example/team/web does not count"
            " (unknown_signer)"
        ),
        "signed by alice",
    )
    gone = thought(findings(Signature("zzz", Format.BUNDLE)), BOTH)
    assert "all must have signed it: alice, bob" in gone.steps
    assert "a bundle signature by a key that is not in the trust file does not count" in str(gone)


# What becomes of an app


def web(**more):
    return app("web", pinned(**more))


def here(spec=None, state=ContainerState.RUNNING, **more):
    return seen(spec or web(), state=state, image=IMAGE, image_digest=DIGEST, **more)


def change(given_evidence, *containers, spec=None):
    seen = observed(*containers)
    made = plan(situation(desired(spec or web()), seen, evidence=given_evidence))
    return next(c for c in made.changes if c.app == "web")


@pytest.mark.parametrize(
    ("found", "action", "reason"),
    [
        (findings(classic()), Action.INSTALL, Reason.NOT_INSTALLED),
        (findings(), Action.HOLD, Reason.NOT_VERIFIED),
        (None, Action.HOLD, Reason.SIGNATURE_PENDING),
    ],
)
def test_an_install_waits_for_proof(found, action, reason):
    made = change(evidence(found))
    assert (made.action, made.reason) == (action, reason)


def test_what_is_installed_is_guarded():
    step = change(evidence(findings(classic()))).steps
    prepared = [s.container for s in step if hasattr(s, "container")]
    assert prepared
    assert all(c.guarded and c.pin == DIGEST for c in prepared)


def test_who_is_denied_is_told_before_who_is_looked_for():
    spec = app("web", pinned(), container("web", "db", image="registry.example/db:1", pin=OTHER))
    assert change(evidence(None), spec=spec).reason is Reason.NOT_VERIFIED


@pytest.mark.parametrize("found", [findings(), None])
def test_where_the_file_warns_nothing_is_held(found):
    made = change(evidence(found, trust(mode=Mode.WARN)))
    assert made.action is Action.INSTALL
    assert not any(s.container.guarded for s in made.steps if hasattr(s, "container"))


def test_without_a_file_all_is_as_it_was():
    assert change(Evidence(free_bytes=2**40)).action is Action.INSTALL
    asks = change(Evidence(free_bytes=2**40), spec=web(signature="cosign://key/alice"))
    assert (asks.action, asks.reason) == (Action.HOLD, Reason.NOT_VERIFIED)


def test_with_an_unusable_file_nothing_new_comes_and_what_runs_goes_on():
    broken = Evidence(trust=Trust(Mode.WARN, problem="what"), free_bytes=2**40)
    assert change(broken).reason is Reason.NOT_VERIFIED
    assert change(broken, here()).action is Action.KEEP


def test_an_update_waits_and_what_runs_goes_on():
    made = change(evidence(findings(classic())), here(), spec=web(pin=OTHER))
    assert (made.action, made.reason) == (Action.HOLD, Reason.SIGNATURE_PENDING)


@pytest.mark.parametrize("found", [findings(), None])
def test_what_was_lost_is_made_anew_of_the_same_image(found):
    made = change(evidence(found), here(state=ContainerState.BROKEN))
    assert (made.action, made.reason) == (Action.RESTART, Reason.PROCESS_LOST)


@pytest.mark.parametrize("found", [findings(), None])
def test_what_ended_is_started_again(found):
    made = change(evidence(found), here(state=ContainerState.EXITED))
    assert (made.action, made.reason) == (Action.START, Reason.NOT_RUNNING)


def test_an_image_that_is_asked_for_always_is_judged_as_well():
    spec = web(pin="", pull_policy=PullPolicy.ALWAYS)
    pins = {("web", "main"): Pin(IMAGE, DIGEST)}
    made = change(evidence(findings(classic()), pins=pins), spec=spec)
    assert made.action is Action.INSTALL
    assert {s.container.pin for s in made.steps if hasattr(s, "container")} == {DIGEST}


# Who signed before, and what a tag meant

KEY = ("web", "main")
BY_BOB = {KEY: Past(signers=(Signer("bob-id", "bob"),))}


@pytest.mark.parametrize(
    ("why", "found", "past", "changed"),
    [
        ("nobody is remembered", findings(classic()), {}, False),
        ("only tags are remembered", findings(classic()), {KEY: Past()}, False),
        ("it is the same one", findings(classic("bob")), BY_BOB, False),
        ("the same one signed it as well", findings(classic("bob"), classic()), BY_BOB, False),
        ("it is another one", findings(classic()), BY_BOB, True),
        ("of another container", findings(classic()), {("web", "db"): BY_BOB[KEY]}, False),
    ],
)
def test_another_signer_than_before_needs_a_word(why, found, past, changed):
    made = change(evidence(found, past=past))
    wanted = (Action.HOLD, Reason.SIGNER_CHANGED) if changed else (Action.INSTALL, "NotInstalled")
    assert (made.action, made.reason) == wanted, why
    if changed:
        assert made.message == (
            f"{IMAGE} is signed by alice, and was by bob until now;"
            " if that is meant: `archipelago confirm signer web`"
        )


def test_another_key_of_the_same_name_is_another_signer():
    past = {KEY: Past(signers=(Signer("old-id", "alice"),))}
    told = thought(findings(classic()), past=past)
    assert told.denial is Denial.SIGNER_CHANGED
    assert "is signed by another one by the name of alice, and was by alice until" in told.message


def test_another_name_of_the_same_key_is_the_same_signer():
    past = {KEY: Past(signers=(Signer("alice-id", "what it was called once"),))}
    assert thought(findings(classic()), past=past).permits


def test_another_signer_stops_nothing_and_is_told_where_the_file_warns():
    facts = evidence(findings(classic()), trust(mode=Mode.WARN), past=BY_BOB)
    assert change(facts).action is Action.INSTALL
    (told,) = proving.notices(facts, compare_all(situation(desired(web()), evidence=facts)))
    assert "is signed by alice, and was by bob until now" in told
    assert change(evidence(findings(classic()), past=BY_BOB), here()).action is Action.KEEP


@pytest.mark.parametrize(
    ("why", "containers", "given", "signers"),
    [
        (
            "it is there, and trusted",
            (here(),),
            evidence(findings(classic())),
            (Signer("alice-id", "alice"),),
        ),
        (
            "both have signed",
            (here(),),
            evidence(findings(classic(), classic("bob"))),
            (Signer("alice-id", "alice"), Signer("bob-id", "bob")),
        ),
        ("it is not there yet", (), evidence(findings(classic())), None),
        (
            "somebody is remembered, to whom nobody adds himself",
            (here(),),
            evidence(findings(classic(), classic("bob")), past=BY_BOB),
            None,
        ),
        ("it is denied", (here(),), evidence(findings()), None),
        ("nobody asks", (here(),), Evidence(), None),
        ("the file is of no use", (here(),), Evidence(trust=Trust(problem="x")), None),
    ],
)
def test_the_first_signers_are_remembered_when(why, containers, given, signers):
    facts = situation(desired(web()), observed(*containers), evidence=given)
    wanted = {KEY: signers} if signers else {}
    assert proving.first_signers(compare_all(facts), given) == wanted, why


RETURNED = {KEY: Past(replaced=(Pin(IMAGE, DIGEST),))}


@pytest.mark.parametrize(
    ("why", "found", "past", "reason"),
    [
        ("it was replaced before", findings(classic()), RETURNED, Reason.TAG_MOVED_BACK),
        ("nothing was replaced", findings(classic()), {KEY: Past()}, Reason.NOT_INSTALLED),
        (
            "it was another name's",
            findings(classic()),
            {KEY: Past(replaced=(Pin(f"{REPOSITORY}:2", DIGEST),))},
            Reason.NOT_INSTALLED,
        ),
        ("nobody signed it, which is worse", findings(), RETURNED, Reason.NOT_VERIFIED),
    ],
)
def test_a_tag_that_moves_back_needs_a_word(why, found, past, reason):
    facts = evidence(found, past=past)
    records = SignatureRecords(facts.signatures, MEANS)
    informed, pins = trusting.informed(desired(web(pin="")), facts, records)
    made = change(informed, spec=web(pin=""))
    assert made.reason is reason, why
    assert bool(pins) is (reason is Reason.NOT_INSTALLED)
    if reason is Reason.TAG_MOVED_BACK:
        assert made.message == (
            f"{IMAGE} has moved back to aaaaaaaa, which was replaced before;"
            " if that is meant: `archipelago update web --back`"
        )


def test_what_is_pinned_has_not_moved():
    """A rollback goes back by its pin, and so does the word of the operator."""
    assert change(evidence(findings(classic()), past=RETURNED)).action is Action.INSTALL


# What is looked at


def checks(spec, given, *containers):
    facts = situation(desired(spec), observed(*containers), evidence=given)
    return proving.to_check(compare_all(facts), given)


UNNAMED = Subject(IMAGE, "")


@pytest.mark.parametrize(
    ("why", "spec", "given", "containers", "subjects"),
    [
        ("its name is to be asked about", web(pin=""), evidence(), (), [UNNAMED]),
        ("nobody looked yet", web(), evidence(), (), [SUBJECT]),
        ("it is denied, and may be signed one day", web(), evidence(findings()), (), [SUBJECT]),
        ("it is trusted", web(), evidence(findings(classic())), (), []),
        ("it runs, and nobody looked yet", web(), evidence(), (here(),), [SUBJECT]),
        (
            "what runs is not asked about by its name",
            web(pin=""),
            evidence(),
            (replace(here(), image_digest=""),),
            [],
        ),
        ("no scope covers it", web(), evidence(None, trust(Scope("x.example"))), (), []),
        ("the file only warns", web(), evidence(None, trust(mode=Mode.WARN)), (), [SUBJECT]),
        (
            "the file only warns, and the driver asks",
            web(pin=""),
            evidence(None, trust(mode=Mode.WARN)),
            (),
            [],
        ),
        ("there is no file", web(), Evidence(), (), []),
        ("the file is of no use", web(), Evidence(trust=Trust(problem="x")), (), []),
        ("it is made here", app("web"), evidence(), (), []),
        ("it is suspended", replace(web(), suspended=True), evidence(), (), []),
        ("it is left alone", replace(web(), left_alone=True), evidence(), (), []),
        ("it is not supported", replace(web(), unsupported=("x",)), evidence(), (), []),
    ],
)
def test_signatures_are_looked_at_when(why, spec, given, containers, subjects):
    found = checks(spec, given, *containers)
    assert [c.subject for c in found] == subjects, why
    assert all(c == Check("web", "main", IMAGE, c.subject, KEYS) for c in found)


MEANS = {("web", "main"): Pin(IMAGE, DIGEST)}


@pytest.mark.parametrize(
    ("why", "meanings", "found", "pins", "accepted"),
    [
        ("it is trusted", MEANS, findings(classic()), {}, MEANS),
        ("it is denied", MEANS, findings(), {}, {}),
        ("nobody looked", MEANS, None, {}, {}),
        (
            "it is of another reference",
            {("web", "main"): Pin(f"{REPOSITORY}:2", DIGEST)},
            findings(classic()),
            {},
            {},
        ),
        (
            "it is pinned",
            MEANS,
            findings(classic()),
            {("web", "main"): Pin(IMAGE, OTHER)},
            {},
        ),
        (
            "the pin is of another reference",
            MEANS,
            findings(classic()),
            {("web", "main"): Pin(f"{REPOSITORY}:2", OTHER)},
            MEANS,
        ),
        ("nobody asked", {}, findings(classic()), {}, {}),
    ],
)
def test_a_name_is_taken_for_what_it_means_once_that_is_trusted(
    why, meanings, found, pins, accepted
):
    want = desired(web(pin=""))
    records = SignatureRecords({SUBJECT: found} if found else {}, meanings)
    told, new = trusting.informed(want, evidence(pins=pins), records)
    assert new == accepted, why
    assert told.pins == {**pins, **accepted}
    assert told.meanings == meanings


def test_a_name_that_means_something_unsigned_is_denied_and_not_pinned():
    given = replace(evidence(findings()), meanings=MEANS)
    made = change(given, spec=web(pin=""))
    assert made.reason is Reason.NOT_VERIFIED
    assert [c.subject for c in checks(web(pin=""), given)] == [UNNAMED]


def test_a_name_that_cannot_be_asked_about_is_denied():
    gone = {UNNAMED: findings(tried=frozenset(), error="cannot ask registry.example")}
    made = change(evidence(gone), spec=web(pin=""))
    assert made.reason is Reason.NOT_VERIFIED
    assert "cannot ask registry.example" in made.message


# What is told


def notices(given, *specs):
    facts = situation(desired(*(specs or (web(),))), evidence=given)
    return proving.notices(given, compare_all(facts))


def test_it_is_said_that_nobody_looks():
    assert "there is no trust file" in notices(Evidence())[0]
    assert notices(Evidence(), app("web")) == ()


def test_it_is_said_what_is_wrong_with_the_file():
    (told,) = notices(Evidence(trust=Trust(problem="x.yaml:1:2: what")))
    assert told.startswith("cannot use the trust file: x.yaml:1:2: what; what runs goes on")


@pytest.mark.parametrize(
    ("found", "mode", "said"),
    [
        (findings(), Mode.WARN, True),
        (findings(), Mode.ENFORCE, False),
        (None, Mode.WARN, False),
        (findings(classic()), Mode.WARN, False),
    ],
)
def test_it_is_said_what_runs_although_nobody_signed_it(found, mode, said):
    told = notices(evidence(found, trust(mode=mode)))
    assert bool(told) is said
    assert all(IMAGE in t and t.startswith("web runs an image") for t in told)
