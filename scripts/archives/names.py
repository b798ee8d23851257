"""Names of models and versions: those that the gateway's API takes, and no others."""

import re

# The gateway's rule, gateway/models/parameters.py; a contract test compares the two.
PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"
EVERY_VERSION = "all"  # TorchServe's path for every version
RESERVED = (EVERY_VERSION, "stable", "canary", "shadow")
_NAME = re.compile(PATTERN.removeprefix("^").removesuffix("$"))


class InvalidNameError(ValueError):
    """A name that no client could ask for, or no archive can have; the text says why."""


def check_name(name: str, what: str = "version") -> str:
    """Return a name, or an alias. Raises InvalidNameError unless a client can ask for it."""
    if _NAME.fullmatch(name) and name != EVERY_VERSION:
        return name
    raise InvalidNameError(
        f"{name!r} is no name of a {what}: 1 to 32 letters, digits, dots, hyphens and underscores, "
        f"with a letter or digit first; '{EVERY_VERSION}' means every version"
    )


def check_own_name(name: str, what: str = "version") -> str:
    """Return the name of an archive's model or version. Raises InvalidNameError for an alias too.

    The aliases say which traffic a version gets; a version of such a name could not be asked for.
    """
    if check_name(name, what) not in RESERVED:
        return name
    raise InvalidNameError(
        f"{name!r} is no name of a {what}: it means the version that is {name} at the time"
    )
