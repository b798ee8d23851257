"""Fan-out: the same images to every node that serves a version, beside the users' images."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.admission.slots import Admission
from gateway.admission.upload_budget import Upload, UploadBudget
from gateway.errors import GatewayError, ModelUnavailableError
from gateway.torchserve.inference import PredictRequest, Target
from gateway.traffic.dispatch import Dispatcher
from gateway.traffic.fleet import NodeReady

WITHIN_S: Final = 12.0


@dataclass(frozen=True)
class NodeAnswer:
    """The PNGs of a node's masks, in the order of the images; none if there was a failure."""

    node: str
    masks: tuple[bytes, ...] = ()
    failure: str = ""


class FanOut:
    """Asks each node for its masks. The answers are no user's, and count for no canary.

    within_s: for all images on all nodes, which are asked at once.
    """

    def __init__(
        self, dispatcher: Dispatcher, admission: Admission, within_s: float = WITHIN_S
    ) -> None:
        self._dispatcher = dispatcher
        self._admission = admission
        self._within_s = within_s

    async def ask(
        self, model: str, version: str, images: Sequence[bytes]
    ) -> tuple[NodeAnswer, ...]:
        """Return the answer of every node on which the version is ready; never raises."""
        target = Target(model, version)
        nodes = self._dispatcher.nodes(target)
        return tuple(await asyncio.gather(*(self._ask(each, target, images) for each in nodes)))

    async def _ask(self, node: NodeReady, target: Target, images: Sequence[bytes]) -> NodeAnswer:
        try:
            async with asyncio.timeout(self._within_s):
                masks = [await self._mask(node, target, each) for each in images]
        except TimeoutError:
            failure = f"no answer within {self._within_s:.0f} s"
            return NodeAnswer(node.name, failure=failure)
        except GatewayError as exc:
            return NodeAnswer(node.name, failure=exc.detail.removesuffix("."))
        return NodeAnswer(node.name, tuple(masks))

    async def _mask(self, node: NodeReady, target: Target, image: bytes) -> bytes:
        request = PredictRequest("golden", None, time.monotonic() + self._within_s)
        with Upload(UploadBudget(len(image))) as upload:
            upload.fill(image)
            async with self._admission.slot(was_admitted=True):
                answer = await self._dispatcher.ask(node, target, upload, request)
        if answer.version != target.version:
            named = f"version {answer.version[:64]}" if answer.version else "no version"
            raise ModelUnavailableError(f"the answer is of {named}, not of {target.version}")
        return answer.png
