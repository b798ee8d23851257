"""The routes of models: their aliases, traffic and placements."""

from dataclasses import replace

from fastapi import APIRouter, Response

from gateway.admin import answers, traffic
from gateway.admin.bodies import AliasChange, PlacementChange, TrafficChange
from gateway.admin.http.parameters import (
    Alias,
    Changing,
    Cursor,
    Limit,
    ModelName,
    Place,
    VersionName,
    WhyQuery,
)
from gateway.admin.http.responses import CHANGE_PROBLEMS, LIST_PROBLEMS, tagged, with_etag
from gateway.admin.schemas import RegisteredModelDetail, RegisteredModels
from gateway.admin.service import Administration
from gateway.http.json_body import SmallBodyRoute
from gateway.openapi.problems import problems
from gateway.registry.records import CANARY, EVERY_NODE

_CHANGED = "The model after the change."


def routes(administration: Administration) -> APIRouter:
    """The routes for an administration."""
    router = APIRouter(prefix="/v1/admin/models", tags=["admin"], route_class=SmallBodyRoute)

    @router.get(
        "",
        summary="List the models of the registry",
        response_description="The models with their traffic policies.",
        responses=problems(*LIST_PROBLEMS),
    )
    async def list_registered_models(limit: Limit = 50, cursor: Cursor = None) -> RegisteredModels:
        """Every model that a version was added of, as the database has it now."""
        return await administration.read(lambda c: answers.models(c, limit, cursor))

    @router.get(
        "/{model}",
        summary="A model of the registry",
        response_description="Its traffic policy and placements.",
        responses=problems("not_found", *LIST_PROBLEMS) | tagged(),
    )
    async def registered_model(model: ModelName, response: Response) -> RegisteredModelDetail:
        """The aliases, shares, limits and placements of a model."""
        found = await administration.read(lambda c: answers.model(c, model))
        with_etag(response, found.etag)
        return found

    @router.put(
        "/{model}/aliases/{alias}",
        summary="Let an alias name a version",
        response_description=_CHANGED,
        responses=problems(*CHANGE_PROBLEMS) | tagged(),
    )
    async def set_alias(
        model: ModelName, alias: Alias, body: AliasChange, change: Changing, response: Response
    ) -> RegisteredModelDetail:
        """Requests may name the version by it. stable is refused: promote it, or roll back."""
        because = replace(change, why=body.why)
        if alias == CANARY:
            because = await administration.salted(because, model, body.version)
        found = await administration.change(
            lambda c: traffic.set_alias(c, model, alias, body.version, because)
        )
        with_etag(response, found.etag)
        return found

    @router.delete(
        "/{model}/aliases/{alias}",
        summary="Remove an alias",
        response_description=_CHANGED,
        responses=problems(*CHANGE_PROBLEMS) | tagged(),
    )
    async def remove_alias(
        model: ModelName, alias: Alias, change: Changing, response: Response, why: WhyQuery = ""
    ) -> RegisteredModelDetail:
        """Removes it, with its share of the traffic. stable stays."""
        because = replace(change, why=why)
        found = await administration.change(
            lambda c: traffic.remove_alias(c, model, alias, because)
        )
        with_etag(response, found.etag)
        return found

    @router.patch(
        "/{model}/traffic",
        summary="Change the shares of canary and shadow",
        response_description=_CHANGED,
        responses=problems(*CHANGE_PROBLEMS) | tagged(),
    )
    async def set_traffic(
        model: ModelName, body: TrafficChange, change: Changing, response: Response
    ) -> RegisteredModelDetail:
        """All of it or nothing. A version sets the alias; percent 0 keeps it; null removes it."""
        because = replace(change, why=body.why)
        if body.canary is not None:
            because = await administration.salted(because, model, body.canary.version)
        found = await administration.change(lambda c: traffic.patch(c, model, body, because))
        with_etag(response, found.etag)
        return found

    @router.put(
        "/{model}/versions/{version}/placement",
        summary="Set the workers of a version",
        response_description=_CHANGED,
        responses=problems(*CHANGE_PROBLEMS) | tagged(),
    )
    async def set_placement(
        model: ModelName,
        version: VersionName,
        body: PlacementChange,
        change: Changing,
        response: Response,
    ) -> RegisteredModelDetail:
        """The workers of a version on a node, or on every node; 0 unloads it there."""
        because = replace(change, why=body.why)
        found = await administration.change(
            lambda c: traffic.place(c, model, version, body, because)
        )
        with_etag(response, found.etag)
        return found

    @router.delete(
        "/{model}/versions/{version}/placement",
        summary="End a placement of a version",
        response_description=_CHANGED,
        responses=problems(*CHANGE_PROBLEMS) | tagged(),
    )
    async def remove_placement(
        model: ModelName,
        version: VersionName,
        change: Changing,
        response: Response,
        node: Place = EVERY_NODE,
        why: WhyQuery = "",
    ) -> RegisteredModelDetail:
        """The node then has as many workers as it has by default."""
        because = replace(change, why=why)
        found = await administration.change(
            lambda c: traffic.unplace(c, model, version, node, because)
        )
        with_etag(response, found.etag)
        return found

    return router
