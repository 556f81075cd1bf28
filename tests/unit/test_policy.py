"""What the operator's policy says to an app."""

import pytest
from builders import app, container
from msgspec.structs import replace

from reconciler.core import policy
from reconciler.model.container import BuildSpec, MountKind, MountSpec, Resources
from reconciler.model.desired import Denial
from reconciler.model.policy import Limit, Policy, Review, Rule


def web(**more):
    return app("web", container("web", **more))


def bind(source):
    return MountSpec(MountKind.BIND, source, "/there")


HUB = "docker.io/library/nginx:1"


@pytest.mark.parametrize(
    ("why", "rule", "more", "want"),
    [
        ("from there", Rule("r", registries=("docker.io",)), {"image": HUB}, []),
        ("from below", Rule("r", registries=("docker.io/library",)), {"image": HUB}, []),
        (
            "from beside",
            Rule("r", registries=("docker.io/lib",)),
            {"image": HUB},
            [f"no image from elsewhere: {HUB}"],
        ),
        (
            "from elsewhere",
            Rule("r", registries=("ghcr.example.org", "quay.example.org")),
            {"image": HUB},
            [f"no image from elsewhere: {HUB}"],
        ),
        (
            "built here",
            Rule("r", registries=("ghcr.example.org",)),
            {"build": BuildSpec("/x", "Containerfile", (), "00")},
            [],
        ),
        (
            "a capability",
            Rule("r", never_capabilities=("NET_RAW",)),
            {"capabilities": ("CHOWN", "NET_RAW")},
            ["no capability NET_RAW"],
        ),
        (
            "a folder itself",
            Rule("r", never_paths=("/etc",)),
            {"mounts": (bind("/etc"),)},
            ["no folder /etc"],
        ),
        (
            "below a folder",
            Rule("r", never_paths=("/etc",)),
            {"mounts": (bind("/etc/ssl"),)},
            ["no folder /etc/ssl"],
        ),
        (
            "around a folder",
            Rule("r", never_paths=("/var/lib/x",)),
            {"mounts": (bind("/var"),)},
            ["no folder /var"],
        ),
        ("beside it", Rule("r", never_paths=("/etc",)), {"mounts": (bind("/etcetera"),)}, []),
        (
            "a volume is no folder",
            Rule("r", never_paths=("/etc",)),
            {"mounts": (MountSpec(MountKind.VOLUME, "/etc", "/x"),)},
            [],
        ),
        (
            "privileged",
            Rule("r", never_privileged=True),
            {"privileged": True},
            ["no privileged container"],
        ),
        ("not privileged", Rule("r", never_privileged=True), {}, []),
        (
            "limits that are missing",
            Rule("r", limits=(Limit.CPU, Limit.MEMORY, Limit.PIDS)),
            {"resources": Resources(memory=5)},
            ["no container without a limit of cpu", "no container without a limit of pids"],
        ),
        ("an exception", Rule("r", never_privileged=True, but=("web",)), {"privileged": True}, []),
        (
            "an exception for another",
            Rule("r", never_privileged=True, but=("db",)),
            {"privileged": True},
            ["no privileged container"],
        ),
    ],
)
def test_a_rule_says_its_name_and_what_breaks_it(why, rule, more, want):
    told = policy.denials(web(**more), Policy("/p", (rule,)))
    assert list(told) == [f"the rule `r` of the policy allows {what}" for what in want], why


def test_all_rules_are_told_in_the_order_of_the_file_and_each_thing_once():
    two = app(
        "web",
        container("web", "main", privileged=True, capabilities=("NET_RAW",)),
        container("web", "db", privileged=True),
    )
    rules = (Rule("b", never_privileged=True), Rule("a", never_capabilities=("NET_RAW",)))
    assert policy.denials(two, Policy("/p", rules)) == (
        "the rule `b` of the policy allows no privileged container",
        "the rule `a` of the policy allows no capability NET_RAW",
    )


def test_what_cannot_be_read_denies_everything_and_says_so():
    unread = Policy("/p", unreadable="cannot read the policy /p: it is a folder")
    assert policy.denials(web(), unread) == ("cannot read the policy /p: it is a folder",)
    (notice,) = policy.notices(unread)
    assert notice.startswith("cannot read the policy /p")
    assert "nothing is installed" in notice


@pytest.mark.parametrize(
    ("review", "want"),
    [
        (Review.NONE, []),
        (Review.ELEVATED, ["privileged"]),
        (
            Review.ALL,
            [
                "egress internet",
                "limit cpu none",
                "limit memory none",
                "limit processes none",
                "network isolated",
                "privileged",
                "volume archipelago-web-data",
            ],
        ),
    ],
)
def test_the_policy_says_what_is_reviewed(review, want):
    asked = policy.asked(web(privileged=True), Policy(review=review))
    assert [p.text for p in asked] == want


def test_a_box_without_review_says_so():
    assert policy.notices(Policy()) == ()
    assert policy.notices(Policy("/p", review=Review.NONE)) == (
        "permissions are not reviewed on this box: /p says so",
    )


def test_a_denial_has_a_word_for_machines():
    denial = Denial("no")
    assert policy.reason(denial) == "ApprovalRequired"
    assert policy.reason(replace(denial, by_policy=True)) == "PolicyDenied"
