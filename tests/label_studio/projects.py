"""A project of Label Studio as an annotator makes it: images in, a back end connected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from label_studio_sdk.converter.brush import decode_rle
from numpy.typing import NDArray

from tests.label_studio.server import Server

LABEL_CONFIG = (
    '<View><Image name="image" value="$image"/><BrushLabels name="tag" toName="image">'
    '<Label value="Cat"/><Label value="Person"/></BrushLabels></View>'
)
# Label Studio takes so many files in one form.
FILES = 50


@dataclass(frozen=True)
class Project:
    """A project and the server that has it."""

    server: Server
    id: int

    def upload(self, files: Mapping[str, bytes]) -> None:
        """Upload images, each of which becomes a task."""
        items = list(files.items())
        for start in range(0, len(items), FILES):
            form = {name: (name, data) for name, data in items[start : start + FILES]}
            self.server.post(f"/api/projects/{self.id}/import", files=form)

    def add_local_files(self, folder: str) -> None:
        """Make a task of each file in a folder of the server's machine."""
        storages = self.server.client.import_storage.local
        path = str(self.server.local_files / folder)
        storage = storages.create(project=self.id, path=path, use_blob_urls=True)
        storages.sync(id=storage.id)

    def connect(self, gateway_url: str) -> None:
        """Connect the gateway as the project's back end; Label Studio asks whether it lives."""
        self.server.client.ml.create(
            project=self.id, url=f"{gateway_url}/v1/label-studio", title="Segserve", timeout=100
        )

    def retrieve_predictions(self) -> None:
        """Let Label Studio ask the back end for all tasks, as its button does."""
        action = f"/api/dm/actions?id=retrieve_tasks_predictions&project={self.id}"
        self.server.post(action, json={"selectedItems": {"all": True, "excluded": []}})

    def tasks(self) -> list[Any]:
        """All tasks with their predictions."""
        return list(self.server.client.tasks.list(project=self.id, fields="all", page_size=100))


def new_project(server: Server, title: str) -> Project:
    """Create a project with brushes for two classes."""
    created = server.client.projects.create(title=title, label_config=LABEL_CONFIG)
    return Project(server, int(created.id or 0))


def labels_of(task: Any) -> list[str]:
    """The labels of a task's one prediction."""
    (prediction,) = task.predictions
    return [label for region in regions_of(prediction) for label in region["value"]["brushlabels"]]


def regions_of(prediction: Any) -> Sequence[Mapping[str, Any]]:
    """The regions of a prediction."""
    result = prediction["result"] if isinstance(prediction, dict) else prediction.result
    return list(result or [])


def pixels_of(region: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Where a region is: (height, width)."""
    shape = region["original_height"], region["original_width"], 4
    return np.asarray(decode_rle(region["value"]["rle"])).reshape(shape)[:, :, 3] > 0
