"""The routes under /v1/admin of versions, traffic, measurements, nodes and the audit log."""

from fastapi import APIRouter

from gateway.admin.http import (
    routes_measurements,
    routes_models,
    routes_nodes,
    routes_versions,
)
from gateway.admin.service import Administration

_PARTS = (routes_models, routes_versions, routes_measurements, routes_nodes)


def routes(administration: Administration) -> list[APIRouter]:
    """The routes for an administration, as routers that the application includes."""
    # Not one router with the others in it: the application adds HEAD to the routes of a router.
    return [part.routes(administration) for part in _PARTS]
