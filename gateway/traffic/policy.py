"""Traffic policy: the version that answers a request, by name, alias, or the canary's share."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol

from gateway.errors import ModelUnavailableError, NotFoundError
from gateway.registry.records import AVAILABLE, CANARY, SHADOW, STABLE

# How far the share of known clients may be from the canary's percent, and how many salts are tried.
_CLOSE_ENOUGH: Final = 0.018
_TRIES: Final = 1000


class Version(Protocol):
    """A version as the registry has it. state: available or retired."""

    @property
    def state(self) -> str: ...


class Model(Protocol):
    """A model's versions and policy, as the registry's snapshot has them."""

    @property
    def name(self) -> str: ...

    @property
    def versions(self) -> Mapping[str, Version]: ...

    @property
    def aliases(self) -> Mapping[str, str]: ...

    @property
    def canary_percent(self) -> int: ...

    @property
    def salt(self) -> str: ...


def position(identity: str, salt: str) -> float:
    """Return a client's fixed place in 0..1, which depends on nothing but the arguments."""
    digest = hashlib.sha256(f"{salt}\0{identity}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def side(identity: str, salt: str, percent: float) -> bool:
    """Whether a client is on the canary's side; while the percent grows, it stays there."""
    return position(identity, salt) * 100 < percent


def balanced_salt(identities: Collection[str], draw: Callable[[], str]) -> str:
    """Return a salt under which every percent of these clients is on the canary's side.

    Of 500 clients a salt by chance puts 2 points too many or too few there, as a coin would. draw:
    a new salt at each call. Takes half a second for 500 clients. Clients that are not known yet
    are divided by chance.
    """
    best = (float("inf"), "")
    for _ in range(_TRIES):
        salt = draw()
        best = min(best, (unevenness(identities, salt), salt))
        if best[0] <= _CLOSE_ENOUGH:
            break
    return best[1]


def unevenness(identities: Collection[str], salt: str) -> float:
    """Return how far the share can be from the percent, 0..1: Kolmogorov's distance."""
    places = sorted(position(each, salt) for each in identities)
    shares = ((place, index / len(places)) for index, place in enumerate(places))
    step = 1 / max(1, len(places))
    return max((max(place - share, share + step - place) for place, share in shares), default=0.0)


def resolve(model: Model, wanted: str | None, identity: str) -> str:
    """Return the version for a request.

    wanted: a version, an alias, or None for stable or canary by the client's side. Raises
    NotFoundError, which lists versions and aliases, and ModelUnavailableError without a stable one.
    """
    if wanted is not None:
        return _named(model, wanted)
    canary = _available(model, CANARY)
    if canary is not None and side(identity, model.salt, model.canary_percent):
        return canary
    stable = _available(model, STABLE)
    if stable is None:
        raise ModelUnavailableError(
            f"No version of {model.name} is stable yet: promote one with "
            "`segserve versions promote`."
        )
    return stable


def shadow_of(model: Model, answered_by: str) -> str | None:
    """Return the version that gets a copy of an image; None unless stable answered it."""
    shadow = _available(model, SHADOW)
    is_compared = answered_by == model.aliases.get(STABLE) and shadow != answered_by
    return shadow if is_compared else None


def _named(model: Model, wanted: str) -> str:
    version = wanted if wanted in model.versions else model.aliases.get(wanted)
    known = model.versions.get(version) if version is not None else None
    if version is not None and known is not None and known.state == AVAILABLE:
        return version
    name = wanted[:64] or "''"
    reason = (
        f"Version {name} of {model.name} is retired"
        if known
        else f"{model.name} has no version {name}"
    )
    raise NotFoundError(f"{reason}. {_listed(model)}")


def _available(model: Model, alias: str) -> str | None:
    version = model.aliases.get(alias)
    known = model.versions.get(version) if version is not None else None
    return version if known is not None and known.state == AVAILABLE else None


def _listed(model: Model) -> str:
    """The sentence with the versions and aliases that can be asked for."""
    versions = [name for name, each in model.versions.items() if each.state == AVAILABLE]
    aliases = [alias for alias in model.aliases if _available(model, alias) is not None]
    listed = f"It has: {', '.join(versions) or 'none'}."
    return f"{listed} Aliases: {', '.join(aliases)}." if aliases else listed
