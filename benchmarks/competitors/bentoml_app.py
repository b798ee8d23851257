"""BentoML: ``bentoml serve benchmarks.competitors.bentoml_app:Segmentation``."""

from pathlib import Path
from typing import Annotated

import bentoml
from bentoml.validators import ContentType

from benchmarks.competitors.segmenters import WORKER_PROCESSES, segmenter


@bentoml.service(workers=WORKER_PROCESSES)
class Segmentation:
    """One file in, one file out."""

    def __init__(self) -> None:
        self._segment = segmenter()

    @bentoml.api(route="/segmentation")
    def segmentation(
        self, file: Annotated[Path, ContentType("image/*")], context: bentoml.Context
    ) -> Annotated[Path, ContentType("image/png")]:
        """A photograph in, a mask out."""
        answer = Path(context.temp_dir) / "mask.png"
        answer.write_bytes(self._segment(file.read_bytes()))
        return answer
