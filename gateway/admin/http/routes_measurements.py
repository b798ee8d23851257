"""The routes of what was measured: evaluations, comparisons, and the promotion by them."""

from dataclasses import replace
from datetime import UTC, datetime

from fastapi import APIRouter, Response

from gateway.admin import answers, gate
from gateway.admin.bodies import EvaluationCreate, PromotionRequest, RollbackRequest
from gateway.admin.comparison import comparison
from gateway.admin.http.parameters import (
    Changing,
    Cursor,
    Hours,
    Limit,
    ModelName,
    Repeatable,
    VersionName,
)
from gateway.admin.http.responses import (
    CHANGE_PROBLEMS,
    LIST_PROBLEMS,
    created,
    digested,
    tagged,
)
from gateway.admin.schemas import (
    EvaluationEntries,
    EvaluationEntry,
    Promotion,
    RegisteredModelDetail,
    ShadowComparison,
)
from gateway.admin.service import Administration, Created, json_of
from gateway.http.json_body import SmallBodyRoute
from gateway.openapi.problems import problems
from gateway.registry import models, policies
from gateway.registry.database import Connection
from gateway.registry.measurements import evaluations
from gateway.registry.records import EvaluationRecord


def routes(administration: Administration) -> APIRouter:
    """The routes for an administration."""
    router = APIRouter(
        prefix="/v1/admin/models/{model}", tags=["admin"], route_class=SmallBodyRoute
    )

    @router.get(
        "/versions/{version}/evaluations",
        summary="List the evaluations of a version",
        response_description="The evaluations, the newest first.",
        responses=problems("not_found", *LIST_PROBLEMS),
    )
    async def list_evaluations(
        model: ModelName,
        version: VersionName,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> EvaluationEntries:
        """The figures of a version on data sets, as they were recorded."""
        return await administration.read(
            lambda c: answers.evaluation_page(c, model, version, limit, cursor)
        )

    @router.post(
        "/versions/{version}/evaluations",
        status_code=201,
        summary="Record an evaluation",
        response_model=EvaluationEntry,
        response_description="The evaluation, as it is kept.",
        responses=problems(*CHANGE_PROBLEMS) | tagged(201),
    )
    async def add_evaluation(
        model: ModelName,
        version: VersionName,
        body: EvaluationCreate,
        change: Changing,
        repeatable: Repeatable,
    ) -> Response:
        """Keeps figures, by which the gate compares versions on the same data."""

        def add(connection: Connection) -> Created:
            models.check(connection, model, change)
            record = EvaluationRecord(
                model, version, created_at=datetime.now(UTC), created_by=change.actor, **dict(body)
            )
            kept = answers.evaluation(evaluations.add(connection, record))
            return Created(201, models.etag(connection, model), json_of(kept))

        return created(await administration.create(digested(repeatable, body), add))

    @router.post(
        "/promote",
        summary="Make a version stable",
        response_model=Promotion,
        response_description="The promotion, with the gate's verdict.",
        responses=problems("gate_closed", *CHANGE_PROBLEMS) | tagged(),
    )
    async def promote(
        model: ModelName, body: PromotionRequest, change: Changing, repeatable: Repeatable
    ) -> Response:
        """The version gets all requests that name none, if the gate is open.

        The gate compares evaluations on the same data, the masks that every node computes of the
        photographs in the archive with those beside them, and a canary's errors and latency. While
        it is closed, the problem lists `reasons` and `findings`.
        """
        because, wanted = replace(change, why=body.why), digested(repeatable, body)
        if (known := await administration.first_answer(wanted)) is not None:
            return created(known)
        golden = await gate.ask_nodes(administration, model, body)

        def done(connection: Connection) -> Created:
            promotion = gate.promote(connection, administration, model, body, because, golden)
            return Created(200, promotion.model.etag, json_of(promotion))

        return created(await administration.create(wanted, done))

    @router.post(
        "/rollback",
        summary="Make the version before stable again",
        response_model=RegisteredModelDetail,
        response_description="The model after it.",
        responses=problems(*CHANGE_PROBLEMS) | tagged(),
    )
    async def roll_back(
        model: ModelName, body: RollbackRequest, change: Changing, repeatable: Repeatable
    ) -> Response:
        """Undoes the last promotion; a version that was rolled back is no version to come back to.

        No gate is asked.
        """
        because = replace(change, why=body.why)

        def done(connection: Connection) -> Created:
            policies.roll_back(connection, model, because)
            after = answers.model(connection, model)
            return Created(200, after.etag, json_of(after))

        return created(await administration.create(digested(repeatable, body), done))

    @router.get(
        "/shadow",
        summary="Compare the shadow with stable",
        response_description="Agreement, IoU of each class, latency and failures.",
        responses=problems("not_found", *LIST_PROBLEMS),
    )
    async def shadow_comparison(model: ModelName, hours: Hours = 24) -> ShadowComparison:
        """Every pair of versions of the last hours, in sum and hour by hour."""
        return await administration.read(lambda c: comparison(c, model, hours))

    return router
