"""The way of an image that comes within something else: received, unpacked, predicted."""

from starlette.requests import Request

from gateway.json_body import receive, room_for
from gateway.memory import Memory
from gateway.pipeline import Found, Pipeline, Reader, client_of
from gateway.wishes import Wish


class PackedImages:
    """Segments the one image of a body."""

    def __init__(self, pipeline: Pipeline, memory: Memory) -> None:
        self._pipeline = pipeline
        self._memory = memory

    @property
    def max_bytes(self) -> int:
        """Of one image."""
        return self._pipeline.max_image_bytes

    async def segment(self, request: Request, wish: Wish, unpack: Reader) -> Found:
        """The model's answer to the image that ``unpack`` leaves in place of the body.

        Raises GatewayError or ClientDisconnect.
        """
        clock = self._pipeline.clock()
        self._pipeline.refuse_if_full()
        with self._memory.buffer() as image:
            with clock.stage("read"):
                async with self._pipeline.upload(image):
                    await receive(request, room_for(self.max_bytes), image)
                # It has arrived: who waits for a turn to unpack is no slow upload.
                await unpack(image)
            found = await self._pipeline.predict(client_of(request), image, wish, clock)
        request.state.target = found.target
        return found
