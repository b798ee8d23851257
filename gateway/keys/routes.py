"""The routes under /v1/admin/keys: list, make and revoke keys."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from gateway.http.json_body import SmallBodyRoute
from gateway.keys.api_key import Key
from gateway.keys.cache import KeyCache
from gateway.keys.schemas import CreatedKey, KeyCreate, KeyEntry, Keys
from gateway.keys.store import KeyStore
from gateway.openapi.problems import problems

KEY_ID = Path(description="Id of the key.", examples=["0f3a2b1c4d5e"], max_length=64)

_TOO_LONG = "A parameter is not valid: path key_id: String should have at most 64 characters."


def _entry(key: Key) -> KeyEntry:
    return KeyEntry(**key.model_dump(exclude={"digest"}))


def routes(store: KeyStore, cache: KeyCache | None) -> APIRouter:
    """The routes of the keys. cache: None if no keys are required."""
    # The store is used in a thread, because it waits for the database.
    router = APIRouter(prefix="/v1/admin/keys", tags=["admin"], route_class=SmallBodyRoute)

    @router.get(
        "",
        summary="List the keys",
        response_description="Every key without its secret, which is kept nowhere.",
        responses=problems("registry_unavailable"),
    )
    async def list_keys() -> Keys:
        """Every key as the database has it now, in the order of their making."""
        keys = await asyncio.to_thread(store.read)
        return Keys(keys=[_entry(key) for key in keys])

    @router.post(
        "",
        status_code=201,
        summary="Make a key",
        response_description="The key itself, which is shown this once.",
        responses=problems(
            "unsupported_encoding",
            image_too_large="The request has more than 65536 bytes (0.0625 MiB). Send less.",
            invalid_request="A parameter is not valid: body name: Field required.",
            registry_unavailable="The database registry.sqlite3 cannot be used: it is read-only.",
        ),
    )
    async def add_key(body: KeyCreate, request: Request, response: Response) -> CreatedKey:
        """Makes a key; every gateway knows it within seconds, this one at once."""
        key, presented = await asyncio.to_thread(
            store.add, **body.model_dump(), actor=request.state.principal.name
        )
        if cache is not None:
            await cache.reload()
        response.headers["Cache-Control"] = "no-store"
        return CreatedKey(key=presented, **_entry(key).model_dump())

    @router.delete(
        "/{key_id}",
        status_code=204,
        summary="Revoke a key",
        response_description="The key is refused, everywhere within seconds.",
        responses=problems(
            "conflict",
            "registry_unavailable",
            not_found="There is no key with this id. The list has those there are.",
            invalid_request=_TOO_LONG,
        ),
    )
    async def revoke_key(key_id: Annotated[str, KEY_ID], request: Request) -> None:
        """Takes a key back. The last one with the role admin stays."""
        actor = request.state.principal.name
        await asyncio.to_thread(store.revoke, key_id, keep_an_admin=True, actor=actor)
        if cache is not None:
            await cache.reload()

    return router
