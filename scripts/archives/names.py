"""Names of models and versions: those that the gateway's API takes, and no others."""

import re

# The gateway's pattern, gateway/models/parameters.py; a contract test compares the two.
PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"
RESERVED = ("all",)  # TorchServe's path for every version
_NAME = re.compile(PATTERN.removeprefix("^").removesuffix("$"))


class InvalidNameError(ValueError):
    """A name that no client could ask for; the text says which are possible."""


def check_name(name: str, what: str = "version") -> str:
    """Return the name. Raises InvalidNameError unless it fits the pattern."""
    if _NAME.fullmatch(name) and name not in RESERVED:
        return name
    raise InvalidNameError(
        f"{name!r} is no name of a {what}: 1 to 32 letters, digits, dots, hyphens and underscores, "
        "with a letter or digit first; 'all' means every version"
    )
