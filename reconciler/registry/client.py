"""
Asks a registry what a name means: the digest behind a tag, by the distribution API.

A password goes to the registry that it is for, or to the one that this registry names over TLS,
never to where a redirect leads, and never into a message.
"""

import hashlib
import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from msgspec import Struct, field

from reconciler.errors import RegistryError
from reconciler.model.image_reference import ImageReference, parse_image_reference
from reconciler.registry import accounts, trust
from reconciler.registry.conversation import Answer, TooLarge, converse

SECONDS = 10.0
MANIFEST_BYTES = 4 * 2**20  # the most that registries take
TOKEN_BYTES = 2**18
REDIRECTS = 3
_ACCEPT = (
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_CHALLENGE = re.compile(r'([a-zA-Z]+)="([^"]*)"')
_DOCKER = "registry-1.docker.io"
_UNAUTHORIZED = 401
_ABSENT = 404
_MOVED = frozenset({301, 302, 303, 307, 308})
_Some = TypeVar("_Some")
# What is below a repository, which kinds are taken, and the most bytes of it.
Get = Callable[[str, str, int], Answer]


class _Question(Struct, frozen=True):
    """One manifest of one registry, and until when the answer is of use."""

    reference: ImageReference
    registry: str
    insecure: bool
    ends: float
    contexts: dict[str, ssl.SSLContext] = field(default_factory=dict[str, ssl.SSLContext])

    @property
    def host(self) -> str:
        """Where that registry really is."""
        return _DOCKER if self.registry == "docker.io" else self.registry

    def address(self, scheme: str) -> SplitResult:
        """Return where the manifest is."""
        named = parse_image_reference(self.reference.canonical)
        what = named.digest or named.tag
        return urlsplit(f"{scheme}://{self.host}/v2/{named.repository}/manifests/{what}")

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.ends - time.monotonic()

    def failed(self, why: str) -> RegistryError:
        """Return the error that names what was asked for."""
        return RegistryError(f"cannot ask {self.registry} about {self.reference}: {why}")


class RegistryClient:
    """Registries as this user may see them. May be used from any thread."""

    def __init__(self, variables: Mapping[str, str], seconds: float = SECONDS) -> None:
        self._accounts = accounts.files(variables, os.geteuid())
        self._places = trust.places(variables)
        self._seconds = seconds

    def digest(self, image: str) -> str:
        """Return the digest behind a reference; RegistryError says why there is none."""
        question = self._question(image, self._seconds)
        with _translated(question):
            return self._digest(question)

    def talk(self, image: str, seconds: float, talk: Callable[[Get], _Some]) -> _Some:
        """Let somebody ask for things of an image's repository, all within these seconds."""
        question = self._question(image, seconds)
        with _translated(question):
            return talk(self._getter(question))

    def _question(self, image: str, seconds: float) -> _Question:
        reference = parse_image_reference(image)
        registry = parse_image_reference(reference.canonical).registry
        insecure = trust.is_insecure(self._places, registry)
        return _Question(reference, registry, insecure, time.monotonic() + seconds)

    def _getter(self, question: _Question) -> Get:
        scheme = self._scheme(question)
        repository = parse_image_reference(question.reference.canonical).repository
        headers = {"User-Agent": "archipelago"}

        def get(path: str, accept: str, largest: int) -> Answer:
            address = urlsplit(f"{scheme}://{question.host}/v2/{repository}/{path}")
            headers["Accept"] = accept
            answer = self._follow(question, "GET", address, headers, largest)
            if answer.status == _UNAUTHORIZED:
                challenge = answer.headers.get("www-authenticate", "")
                headers["Authorization"] = self._authorisation(question, address, challenge)
                answer = self._follow(question, "GET", address, headers, largest)
            if answer.status != _ABSENT:
                _check(question, answer)
            return answer

        return get

    def _digest(self, question: _Question) -> str:
        address = question.address(self._scheme(question))
        answer, headers = self._authorised(question, address)
        told = answer.headers.get("docker-content-digest", "")
        if _DIGEST.fullmatch(told):
            return told
        if told:
            raise question.failed("it answered with something that is no digest")
        whole = self._follow(question, "GET", address, headers)
        _check(question, whole)
        return f"sha256:{hashlib.sha256(whole.body).hexdigest()}"

    def _authorised(
        self, question: _Question, address: SplitResult
    ) -> tuple[Answer, dict[str, str]]:
        """Ask; where the registry wants to know who asks, say so once."""
        headers = {"Accept": _ACCEPT, "User-Agent": "archipelago"}
        answer = self._follow(question, "HEAD", address, headers)
        if answer.status == _UNAUTHORIZED:
            challenge = answer.headers.get("www-authenticate", "")
            headers["Authorization"] = self._authorisation(question, address, challenge)
            answer = self._follow(question, "HEAD", address, headers)
        _check(question, answer)
        return answer, headers

    def _scheme(self, question: _Question) -> str:
        """An insecure registry may still speak TLS: without, only where it does not."""
        if not question.insecure:
            return "https"
        try:
            self._ask(question, "GET", urlsplit(f"https://{question.host}/v2/"), {})
        except (ssl.SSLError, ConnectionError):
            return "http"
        return "https"

    def _authorisation(self, question: _Question, address: SplitResult, challenge: str) -> str:
        """Return the header that a challenge asks for."""
        named = parse_image_reference(question.reference.canonical)
        account = accounts.account(self._accounts, question.registry, named.repository)
        kind, _, rest = challenge.partition(" ")
        match kind.lower():
            case "basic" if account is not None:
                return account.basic()
            case "basic":
                raise question.failed("it wants a password: `podman login` first")
            case "bearer":
                wanted = dict(_CHALLENGE.findall(rest))
                wanted.setdefault("scope", f"repository:{named.repository}:pull")
                return f"Bearer {self._token(question, address, wanted, account)}"
            case _:
                raise question.failed("it asks who we are in a way that is not known here")

    def _token(
        self,
        question: _Question,
        address: SplitResult,
        wanted: Mapping[str, str],
        account: accounts.Account | None,
    ) -> str:
        realm = urlsplit(wanted.get("realm", ""))
        at_home = (realm.scheme, realm.hostname) == (address.scheme, address.hostname)
        if not realm.hostname or not (realm.scheme == "https" or at_home):
            raise question.failed("it sends us for a token to a place that is not safe")
        asked = {key: wanted[key] for key in ("service", "scope") if key in wanted}
        query = "&".join(part for part in (realm.query, urlencode(asked)) if part)
        headers = {"User-Agent": "archipelago"}
        if account is not None:
            headers["Authorization"] = account.basic()
        answer = self._ask(question, "GET", realm._replace(query=query), headers, TOKEN_BYTES)
        _check(question, answer)
        told: Any = json.loads(answer.body)
        found = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
        token = found.get("token") or found.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise question.failed("it gave no token")
        return token

    def _follow(
        self,
        question: _Question,
        method: str,
        address: SplitResult,
        headers: Mapping[str, str],
        largest: int = MANIFEST_BYTES,
    ) -> Answer:
        """Ask, also where the answer lies elsewhere; who we are stays here."""
        sent, asked = dict(headers), address
        for _ in range(REDIRECTS + 1):
            answer = self._ask(question, method, asked, sent, largest)
            if answer.status not in _MOVED:
                return answer
            goal = urlsplit(urljoin(asked.geturl(), answer.headers.get("location", "")))
            if goal.scheme not in {"https", address.scheme} or not goal.hostname:
                raise question.failed("it sends us to a place that is not safe")
            if goal.netloc != address.netloc:
                sent.pop("Authorization", None)
            asked = goal
        raise question.failed("it sends us from one place to the next")

    def _ask(
        self,
        question: _Question,
        method: str,
        address: SplitResult,
        headers: Mapping[str, str],
        largest: int = MANIFEST_BYTES,
    ) -> Answer:
        def context() -> ssl.SSLContext:
            """Read the machine's authorities once for a question: that takes a while."""
            if address.netloc not in question.contexts:
                own = address.netloc == question.host
                name = question.registry if own else address.netloc
                proven = not (own and question.insecure)
                made = trust.context(self._places, name, proven=proven)
                question.contexts[address.netloc] = made
            return question.contexts[address.netloc]

        return converse(
            method,
            address,
            headers,
            seconds=question.left(),
            largest=largest,
            context=context,
        )


@contextmanager
def _translated(question: _Question) -> Generator[None]:
    try:
        yield
    except TooLarge as error:
        raise question.failed("its answer does not end") from error
    except TimeoutError as error:
        raise question.failed("it did not answer in time") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise question.failed(_readable(error)) from error


def _check(question: _Question, answer: Answer) -> None:
    match answer.status:
        case 200:
            return
        case 401 | 403:
            raise question.failed(
                "it does not let us in: the password is missing, wrong or not enough;"
                " `podman login` anew",
            )
        case 404:
            raise question.failed("it has no such image")
        case 429:
            raise question.failed("it was asked too often; try again later")
        case status:
            raise question.failed(f"it answered {status}")


def _readable(error: Exception) -> str:
    """Return why, in words that hold no address."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not trusted ({error.verify_message.rstrip('.')});"
                " put its authority into /etc/containers/certs.d"
            )
        case ssl.SSLError():
            return "it does not speak TLS as it should"
        case ConnectionRefusedError():
            return "nobody listens there"
        case OSError() if error.strerror:
            return error.strerror.lower()
        case OSError():
            return "the connection broke"
        case _:
            return "its answer makes no sense"
