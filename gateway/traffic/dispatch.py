"""Dispatch: the node for an image, and once another if the first is out of reach."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.admission.upload_budget import Upload
from gateway.errors import GatewayError, NodeUnreachableError, NoWorkerFreeError
from gateway.torchserve.inference import (
    Address,
    InferenceClient,
    PredictRequest,
    PredictResponse,
    Target,
)
from gateway.traffic.fleet import Fleet, NodeReady
from gateway.traffic.nodes import NodeLoads

TRIES = 2
T = TypeVar("T")


class Dispatcher:
    """Sends an image to the node with the fewest in flight for its workers.

    digest: (model, version) -> SHA-256 of the version's archive; empty for any. A node that still
    has another one, of the seed before it was built again, is asked until a node has this one.
    """

    def __init__(
        self,
        inference: InferenceClient,
        fleet: Fleet,
        loads: NodeLoads,
        digest: Callable[[str, str], str],
    ) -> None:
        self._inference = inference
        self._fleet = fleet
        self._loads = loads
        self._digest = digest

    async def predict(
        self, target: Target, image: Upload, request: PredictRequest
    ) -> PredictResponse:
        """Return the answer of a node; raises GatewayError as InferenceClient does."""
        return await self._tried(
            target,
            lambda node: self.ask(node, target, image, request),
            (NodeUnreachableError, NoWorkerFreeError),
        )

    async def ask(
        self, node: NodeReady, target: Target, image: Upload, request: PredictRequest
    ) -> PredictResponse:
        """Return the answer of this node, and no other's; raises GatewayError."""
        try:
            with self._loads.sending(node.name, _name(target)):
                answer = await self._inference.predict(
                    target, image, request, Address(node.url, node.token)
                )
        except NodeUnreachableError:
            self._loads.failed(node.name)
            raise
        except NoWorkerFreeError:
            # At once: such a node has none in flight, and would get every image.
            self._loads.failed(node.name, _name(target))
            raise
        self._loads.succeeded(node.name, _name(target))
        return answer

    def nodes(self, target: Target) -> list[NodeReady]:
        """Return the nodes on which a version is ready, with the archive of the registry."""
        digest = self._digest(target.model, target.version)
        return self._fleet.nodes_with(target.model, target.version, sha256=digest)

    async def probe(self, target: Target) -> None:
        """Return when a worker of a version has answered; raises GatewayError."""

        async def probe(node: NodeReady) -> None:
            try:
                await self._inference.probe(target, Address(node.url, node.token))
            except NodeUnreachableError:
                self._loads.failed(node.name)
                raise

        await self._tried(target, probe, (NodeUnreachableError,))

    async def _tried(
        self,
        target: Target,
        ask: Callable[[NodeReady], Awaitable[T]],
        lost: tuple[type[GatewayError], ...],
    ) -> T:
        """Return what a node answers; after one of the errors ``lost``, what another one does."""
        tried: list[str] = []
        while True:
            node = self._node(target, tried)
            try:
                return await ask(node)
            except lost:
                tried.append(node.name)
                if len(tried) == TRIES or not self._others(target, tried):
                    raise

    def _node(self, target: Target, tried: list[str]) -> NodeReady:
        node = self._loads.choose(self._usable(target), tried, _name(target))
        if node is None:
            raise NoWorkerFreeError(
                f"Version {target.version} of {target.model} has no worker that is ready. "
                "Send the image again in a few seconds, or choose another version."
            )
        return node

    def _others(self, target: Target, tried: list[str]) -> bool:
        return any(each.name not in tried for each in self._usable(target))

    def _usable(self, target: Target) -> list[NodeReady]:
        return self.nodes(target) or self._fleet.nodes_with(target.model, target.version)


def _name(target: Target) -> str:
    return f"{target.model} {target.version}"
