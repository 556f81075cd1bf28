"""Health checks: a command, or the question that it asks over HTTP."""

import re
import shlex
from typing import Final

from reconciler.importing.given import Given
from reconciler.importing.interpolation import open_variables
from reconciler.importing.shell import from_variables, shell_text, with_marks
from reconciler.importing.tree import Leaf, Section
from reconciler.importing.work import Work

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[!-~]*)?",
)
_WATCHED: Final = re.compile(
    r"(?P<scheme>tcp|https?|\[PROTO:[^\]]*\])://\[HOST\]:"
    r"(?:\[PORT:(?P<inner>[0-9]+)\]|(?P<port>[0-9]+))(?P<path>/[!-~]*)?",
)
_END: Final = re.compile(
    r"\s*(?:>\s*/dev/null(?:\s+2>&1)?)?\s*(?:\|\|\s*(?:exit\s+1|false|kill\s+1))?\s*$"
)
_CURL_FLAGS: Final = frozenset("fsSLk") | {"fail", "silent", "show-error", "location", "insecure"}
_CURL_VALUES: Final = frozenset({"-o", "--output", "-m", "--max-time", "--connect-timeout"})
_WGET_FLAGS: Final = frozenset({"q", "nv", "S", "spider", "quiet", "no-verbose", "no-cache"})
_WGET_FLAGS_OF: Final = re.compile(r"--(?:tries|timeout|no-check-certificate|output-document)=.*")
_WGET_VALUES: Final = frozenset({"-O", "-t", "-T", "-o"})
MOST_RETRIES: Final = 100
_TIMES: Final = ("interval", "timeout", "start_period")


def carry_health(given: Given, container: Section, work: Work) -> None:
    """Write a health check, as HTTP where the command is just that."""
    disable, test = given.get("disable"), given.get("test")
    if (disable is not None and disable.boolean()) or _is_none(test):
        for _, value in given.pairs():
            value.neutral()
        return
    if test is None:
        message = "without `test` it changes the check of the image, which is not used here"
        given.not_carried(message, "write a `health_check` with a `type`")
        return
    check = _check(test, container, work)
    if check is None:
        for key, value in given.pairs():
            if key != "test":
                value.not_carried("it belongs to a check that is not carried")
        return
    _carry_patience(given, check)
    container["health_check"] = check


def _carry_patience(given: Given, check: Section) -> None:
    """Write how often, how long and how many times is asked."""
    for key, time in given.pairs():
        if key in _TIMES and (text := time.closed_text()) is not None:
            check[key] = Leaf(duration_text(text), time.path)
    retries = given.get("retries")
    number = retries.integer() if retries is not None else None
    if retries is not None and number is not None:
        if number > MOST_RETRIES:
            retries.changed(f"the check is tried {MOST_RETRIES} times, the most there is")
        check["retries"] = Leaf(min(number, MOST_RETRIES), retries.path)
    if (late := given.get("start_interval")) is not None:
        late.not_carried("there is one interval, from the first check to the last")


def _is_none(test: Given | None) -> bool:
    return test is not None and test.value in (["NONE"], "NONE")


def _check(test: Given, container: Section, work: Work) -> Section | None:
    shell, words = _command(test)
    if not words:
        test.not_carried("there is no command in it")
        return None
    asked = None if any(map(open_variables, words)) else _as_http(shell=shell, words=words)
    if asked is not None:
        return {key: Leaf(value, test.path) for key, value in asked.items()}
    marked = with_marks(test, words, container, work)
    if any(map(open_variables, marked)):
        words = [from_variables(marked[0]) if shell else shell_text(marked)]
        shell = True
    command = ["sh", "-c", words[0]] if shell else words
    return {"type": Leaf("exec", test.path), "command": Leaf(command, test.path)}


def _command(test: Given) -> tuple[bool, list[str]]:
    """Return whether a shell runs it, and the words; a shell's text is the only word."""
    if not test.is_list:
        text = test.text()
        return True, [text] if text and text.strip() else []
    words = [text for entry in test.entries() if (text := entry.text()) is not None]
    match words:
        case ["CMD-SHELL", *rest]:
            return True, [" ".join(rest)] if rest else []
        case ["CMD", *rest]:
            return False, rest
        case _:
            return len(words) == 1, words


def _as_http(*, shell: bool, words: list[str]) -> dict[str, object] | None:
    """Return the check of type http that asks exactly what curl or wget would."""
    if shell:
        text = _END.sub("", words[0])
        if re.search(r"[|&;<>$`(){}]", text):
            return None
        try:
            words = shlex.split(text)
        except ValueError:
            return None
    url = _url_of(words)
    match = _URL.fullmatch(url) if url else None
    if match is None or (match["scheme"] == "https"):
        return None
    port = match["port"] or "80"
    found: dict[str, object] = {"type": "http", "endpoint": f"http://localhost:{port}"}
    if match["path"] and match["path"] != "/":
        found["path"] = match["path"]
    return found


def _url_of(words: list[str]) -> str:
    program = words[0].rpartition("/")[2] if words else ""
    if program not in {"curl", "wget"}:
        return ""
    urls: list[str] = []
    flags: set[str] = set()
    skip = False
    for word in words[1:]:
        if skip:
            skip = False
        elif word in (_CURL_VALUES if program == "curl" else _WGET_VALUES):
            skip = True
        elif word.startswith("-"):
            flags |= _flags(program, word)
        else:
            urls.append(word)
    known = _CURL_FLAGS if program == "curl" else _WGET_FLAGS
    if len(urls) != 1 or not flags <= known:
        return ""
    return urls[0] if program == "wget" or flags & {"f", "fail"} else ""


def _flags(program: str, word: str) -> set[str]:
    if word.startswith("--"):
        return set() if _WGET_FLAGS_OF.fullmatch(word) else {word[2:]}
    if program == "curl":
        return set(word[1:])
    letters = word[1:].replace("nv", "").replace("O-", "").replace("O/dev/null", "")
    return set(letters)


def duration_text(text: str) -> str:
    """Return a duration as a manifest has it: microseconds and less are nothing."""
    return re.sub(r"[0-9.]+(?:us|µs|ns)", "", text.strip().replace(" ", "")) or "0s"


def health_of_address(text: str) -> dict[str, object] | None:
    """Return the check that an add-on's address asks for: `http://[HOST]:[PORT:80]/path`."""
    match = _WATCHED.fullmatch(text.strip())
    if match is None:
        return None
    port = match["port"] or match["inner"]
    if match["scheme"] == "tcp":
        return {"type": "tcp", "endpoint": f"localhost:{port}"}
    scheme = "https" if match["scheme"] == "https" else "http"
    found: dict[str, object] = {"type": "http", "endpoint": f"{scheme}://localhost:{port}"}
    if match["path"] and match["path"] != "/":
        found["path"] = match["path"]
    return found
