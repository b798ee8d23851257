"""The routes of nodes and of the audit log."""

from dataclasses import replace

from fastapi import APIRouter

from gateway.admin import answers
from gateway.admin.http.parameters import (
    Changing,
    Cursor,
    Limit,
    NodeName,
    OfModel,
    WhyQuery,
    refuse_etags,
)
from gateway.admin.http.responses import LIST_PROBLEMS
from gateway.admin.schemas import AuditRecords, NodeEntries
from gateway.admin.service import Administration
from gateway.openapi.problems import problems
from gateway.registry import nodes


def routes(administration: Administration) -> APIRouter:
    """The routes for an administration."""
    router = APIRouter(prefix="/v1/admin", tags=["admin"])

    @router.get(
        "/nodes",
        summary="List the nodes",
        response_description="The nodes, with the age of their news and what they have.",
        responses=problems(*LIST_PROBLEMS),
    )
    async def list_nodes(limit: Limit = 50, cursor: Cursor = None) -> NodeEntries:
        """Every machine whose agent ever reported, until it is forgotten."""
        ages = administration.ages()
        return await administration.read(lambda c: answers.node_page(c, ages, limit, cursor))

    @router.delete(
        "/nodes/{node}",
        status_code=204,
        summary="Forget a node",
        response_description="The node is forgotten.",
        responses=problems("not_found", "precondition_failed", *LIST_PROBLEMS),
    )
    async def forget_node(node: NodeName, change: Changing, why: WhyQuery = "") -> None:
        """Forgets a machine that will not come back; one that is heard again is listed again."""
        refuse_etags(change)
        because = replace(change, why=why)
        await administration.change(lambda c: nodes.forget(c, node, because))

    @router.get(
        "/audit",
        summary="List the changes",
        response_description="The audit log, the newest first.",
        responses=problems(*LIST_PROBLEMS),
    )
    async def list_changes(
        model: OfModel = None, limit: Limit = 50, cursor: Cursor = None
    ) -> AuditRecords:
        """Who changed what, when and why; entries are never changed or removed."""
        return await administration.read(lambda c: answers.audit_page(c, model, limit, cursor))

    return router
