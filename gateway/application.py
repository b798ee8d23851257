"""A FastAPI application with our additions to its routes and to its OpenAPI document."""

import copy
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from gateway.document import completion


class Gateway(FastAPI):
    """A FastAPI application that answers HEAD and completes its OpenAPI document."""

    def include_router(self, router: APIRouter, **options: Any) -> None:
        """Add the routes of a router, with HEAD for every GET, which FastAPI leaves out."""
        # Twins instead of a second method: the OpenAPI document does not repeat each operation.
        for route in [each for each in router.routes if isinstance(each, APIRoute)]:
            if route.methods == {"GET"}:
                head = copy.copy(route)
                head.methods, head.include_in_schema = {"HEAD"}, False
                router.routes.append(head)
        super().include_router(router, **options)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, built on the first call."""
        if self.openapi_schema is None:
            self.openapi_schema = completion.complete(
                get_openapi(
                    title=self.title,
                    version=self.version,
                    description=self.description,
                    routes=self.routes,
                    tags=self.openapi_tags,
                )
            )
        return self.openapi_schema
