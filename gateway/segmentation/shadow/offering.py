"""Offering: which answered images are copied to the shadow version."""

from collections.abc import Callable

from starlette.types import Scope

from gateway.admission.upload_budget import Upload
from gateway.registry.snapshot import ModelState
from gateway.segmentation.options import SegmentationOptions, to_handler_json
from gateway.segmentation.prediction import Prediction
from gateway.segmentation.shadow.after_answer import after_answer
from gateway.segmentation.shadow.mirror import Answered, Mirror, is_comparable
from gateway.segmentation.shadow.sums import Pair
from gateway.traffic.policy import shadow_of


class Offering:
    """Offers images to the mirror, by the model's policy. state: of the served model, now."""

    def __init__(self, mirror: Mirror, state: Callable[[], ModelState | None]) -> None:
        self._mirror = mirror
        self._state = state

    def offer(
        self,
        scope: Scope,
        request_id: str,
        image: Upload,
        options: SegmentationOptions,
        prediction: Prediction,
    ) -> None:
        """Have an image compared once its answer was sent, if it is of the shadow's share."""
        state = self._state()
        if state is None or not state.shadow_percent or not is_comparable(options):
            return
        shadow = shadow_of(state, prediction.target.version)
        if shadow is None:
            return
        answered = Answered(
            Pair(state.name, prediction.target.version, shadow),
            request_id,
            to_handler_json(options, prediction.labels),
            prediction.response.png,
            prediction.response.seconds,
        )
        compare = self._mirror.offer(image, state.shadow_percent, answered)
        if compare is not None:
            after_answer(scope, compare)
