"""The routes under /v1/agent, for the agents beside the TorchServes alone."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import StreamingResponse

from gateway.agents.heartbeats import Heartbeats
from gateway.agents.schemas import Heartbeat, Name, SeedOffer, Version
from gateway.agents.seeds import Seed, Seeds
from gateway.agents.token import NodeToken
from gateway.archives.store import ArchiveStore
from gateway.errors import UnauthorizedError
from gateway.http.json_body import SmallBodyRoute

# A node may have many versions, each with a long reason why it fails.
_REPORT_BYTES: Final = 1024 * 1024
_DIGEST = Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the archive.")


def routes(
    heartbeats: Heartbeats, seeds: Seeds, store: ArchiveStore, token: NodeToken
) -> APIRouter:
    """Return the routes of the agents. token: the one that they must show."""

    def shows_token(request: Request) -> bool:
        return token.is_shown(request.headers.get("authorization", ""))

    def require_token(request: Request) -> None:
        if not shows_token(request):
            raise UnauthorizedError(
                "This is for agents, which show the token of the file node-token in the folder of "
                "the gateway's state."
            )

    class ReportRoute(SmallBodyRoute):
        """A route whose body may be larger, if it is an agent's."""

        def max_bytes(self, request: Request) -> int:
            return _REPORT_BYTES if shows_token(request) else super().max_bytes(request)

    router = APIRouter(
        prefix="/v1/agent", include_in_schema=False, dependencies=[Depends(require_token)]
    )
    reports = APIRouter(route_class=ReportRoute)
    messages = APIRouter(route_class=SmallBodyRoute)

    @reports.post("/heartbeat")
    async def heartbeat(body: Heartbeat) -> dict[str, Any]:
        """Report what a node serves, and get what it should serve."""
        return heartbeats.heard(body)

    @router.get("/archives/{sha256}")
    async def archive(sha256: Annotated[str, _DIGEST]) -> StreamingResponse:
        """The bytes of an archive, verified while they are sent."""
        found = await store.open(sha256)
        return StreamingResponse(
            found.chunks,
            media_type="application/octet-stream",
            headers={"Content-Length": str(found.size)},
        )

    @messages.post("/seeds")
    async def seed(body: SeedOffer) -> dict[str, Any]:
        """Offer an archive that came with a node; says whether its bytes are needed."""
        return await seeds.offered(body.seed)

    @router.put("/seeds/{sha256}")
    async def seed_archive(
        request: Request,
        sha256: Annotated[str, _DIGEST],
        model: Name,
        version: Version,
        stable: bool,
    ) -> dict[str, Any]:
        """Send an offered archive."""
        return await seeds.received(Seed(model, version, sha256, stable), request.stream())

    router.include_router(reports)
    router.include_router(messages)
    return router
