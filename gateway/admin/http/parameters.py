"""Path, query and header parameters of the administration."""

import re
from typing import Annotated, Final

from fastapi import Depends, Header, Path, Query, Request

from gateway.admin.bodies import NODE_PATTERN, PLACE_PATTERN, Why
from gateway.errors import PreconditionFailedError
from gateway.models.parameters import VERSION_PATTERN
from gateway.registry import idempotency
from gateway.registry.records import Change

_LONGEST_ACTOR: Final = 64
# As this gateway writes them, and a database can compare them.
_OF_MODEL: Final = re.compile(r"0|[1-9][0-9]{0,8}")

ModelName = Annotated[
    str, Path(description="Name of the model.", examples=["deeplabv3"], pattern=VERSION_PATTERN)
]
VersionName = Annotated[
    str, Path(description="Version of the model.", examples=["2.0"], pattern=VERSION_PATTERN)
]
Alias = Annotated[
    str,
    Path(
        description="stable, canary, shadow or another.", examples=["next"], pattern=VERSION_PATTERN
    ),
]
NodeName = Annotated[
    str, Path(description="Name of the node.", examples=["gpu-1-8081"], pattern=NODE_PATTERN)
]
Place = Annotated[
    str, Query(description="The node; * is every node.", examples=["*"], pattern=PLACE_PATTERN)
]
Limit = Annotated[int, Query(description="The most items.", examples=[50], ge=1, le=200)]
Cursor = Annotated[
    str | None,
    Query(
        description="`next` of the page before; absent for the first one.",
        examples=["WzQyXQ"],
        pattern=r"^[A-Za-z0-9_-]{1,400}$",
    ),
]
OfModel = Annotated[
    str | None,
    Query(
        description="Only changes of this model, of nodes and of the database.",
        examples=["deeplabv3"],
        pattern=VERSION_PATTERN,
    ),
]
Hours = Annotated[
    int, Query(description="The last hours, besides this one.", examples=[24], ge=1, le=720)
]
WorkersOf = Annotated[
    int | None,
    Query(
        description="Workers on every node; absent: as nodes have it by default.",
        examples=[2],
        ge=0,
        le=1000,
    ),
]
WhyQuery = Annotated[
    Why, Query(description="The reason, for the audit log.", examples=["superseded by 3.0"])
]
_TAG: Final = r'(W/)?"[\x21\x23-\x7e]*"'
_COMMA: Final = r"[ \t]*,[ \t]*"
_IF_MATCH = Header(
    alias="If-Match",
    description="ETags, on one of which the change is based, else 412; absent or *: whatever "
    "there is. A weak one matches nothing.",
    examples=['"7"'],
    max_length=1000,
    pattern=f"^(\\*|{_TAG}({_COMMA}{_TAG})*)$",
)
_IDEMPOTENCY_KEY = Header(
    alias="Idempotency-Key",
    description="Repeated with the same request within a day, it gets the first answer again.",
    examples=["7c2f9e0b"],
    pattern=r"^[\x21-\x7e]{1,255}$",
)


def actor_of(request: Request) -> str:
    """Return the name and the id of the request's key, in at most 64 characters."""
    principal = request.state.principal
    tail = f" ({principal.id})"
    return f"{principal.name[: _LONGEST_ACTOR - len(tail)]}{tail}"


def etags_of(if_match: str | None) -> tuple[int, ...] | None:
    """Return the etags of models in an If-Match; None without one, or for any.

    Weak tags and those of other servers are none of a model's.
    """
    if if_match in (None, "*"):
        return None
    strong = re.findall(r'(W/)?"([^"]*)"', str(if_match))
    return tuple(int(tag) for weak, tag in strong if not weak and _OF_MODEL.fullmatch(tag))


def refuse_etags(change: Change) -> None:
    """Raise PreconditionFailedError for an If-Match where nothing has an ETag."""
    if change.if_match is not None:
        raise PreconditionFailedError("This has no ETag that If-Match could name. Leave it out.")


def _change(request: Request, if_match: Annotated[str | None, _IF_MATCH] = None) -> Change:
    return Change(actor_of(request), if_match=etags_of(if_match))


def _repeatable(
    request: Request, idempotency_key: Annotated[str | None, _IDEMPOTENCY_KEY] = None
) -> idempotency.Request | None:
    if idempotency_key is None:
        return None
    route = f"{request.method} {request.url.path}"
    return idempotency.Request(idempotency_key, request.state.principal.id, route, "")


# By which key a change is made that concerns no model.
# By which key a change is made, and on which state it is based.
Changing = Annotated[Change, Depends(_change)]
# The Idempotency-Key of a request, whose digest is not known yet; None without one.
Repeatable = Annotated[idempotency.Request | None, Depends(_repeatable)]
