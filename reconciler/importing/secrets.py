"""Which variables hold a secret, by their names and by what stands in them. Pure guesses."""

import re
from typing import Final

_SECRET: Final = re.compile(
    r"(?:^|_)(?:[A-Z0-9]*(?:PASSWORD|PASSWD|PASSPHRASE|PASS|SECRET|TOKEN)S?|PWD|PW|CREDENTIALS?|SALT"
    r"|(?:API|APP|APPLICATION|ACCESS|AUTH|CRYPT|ENC|ENCRYPTION|HASH|JWT|MASTER|PRIVATE|SECRET"
    r"|SESSION|SIGNING)_?KEY|API_?KEYS?|APIKEY|[A-Z0-9]*APIKEY|SECRET_KEY_BASE"
    r"|SECURITY_KEY|COOKIE_KEY)(?:_[A-Z]?[0-9]*)?$",
)
_NOT_SECRET: Final = re.compile(
    r"_(?:FILE|PATH|DIR|URL|URI|EXPIRY|EXPIRATION|EXPIRES?|EXPIRE_MINUTES|TTL|LENGTH|LIFETIME"
    r"|ENABLED?|DISABLED?|TYPE|NAME|ID|HEADER|LIMIT|COUNT|ALGORITHM|ISSUER|AUDIENCE)$"
    r"|^(?:MAX|MIN|ALLOW|ENABLE|DISABLE|USE|SHOW|REQUIRE|HIDE|RESET)_|PUBLIC",
)
_THIRD_PARTY: Final = re.compile(r"API_?KEY|TOKEN|ACCESS_KEY|CREDENTIAL")
_NO_SECRET: Final = re.compile(
    r"true|false|yes|no|on|off|none|null|-?[0-9]{1,3}|/[\w./-]+|https?://[^@]*", re.IGNORECASE
)
_PLACEHOLDER: Final = re.compile(
    r"<.*>|\[.*\]|x{3,}|\*+|\.{3}|.*(?:your|change[_ -]?(?:me|this|it)|replace|placeholder|insert"
    r"|enter[_ -]|example|todo|-here|_here|some[_-]?(?:secret|token)|xxxx).*",
    re.IGNORECASE,
)
_HASH: Final = re.compile(r"\$(?:2[abxy]|argon2\w*|[156y])\$.+|\{SHA.*\}.+")
_COMMON: Final = 8  # shorter literals may be words that mean something else elsewhere


def is_secret(key: str) -> bool:
    """Tell whether a variable of this name holds a secret."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).upper().replace("-", "_").replace(".", "_")
    return bool(_SECRET.search(name)) and not _NOT_SECRET.search(name)


def is_no_secret(value: str) -> bool:
    """Tell whether a value cannot be a secret: a switch, a number, a path, an address."""
    return bool(_NO_SECRET.fullmatch(value))


def is_asked(key: str, value: str) -> bool:
    """Tell whether only a person can know the value: from elsewhere, or a hash of one."""
    if _HASH.fullmatch(value):
        return True
    stands_for_another = _PLACEHOLDER.fullmatch(value) or value.upper() == key.upper()
    return bool(stands_for_another) and bool(_THIRD_PARTY.search(key.upper()))


def is_optional(key: str) -> bool:
    """Tell whether an empty value is a feature that is off, not a password that is missing."""
    return bool(_THIRD_PARTY.search(key.upper()))


def is_distinctive(literal: str) -> bool:
    """Tell whether a literal is the secret wherever it is found."""
    return len(literal) >= _COMMON and not literal.isalpha()
