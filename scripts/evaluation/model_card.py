"""A model card of an evaluation: Markdown with the metadata head that Hugging Face's hub reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from scripts.evaluation.measure import Evaluation

TASK: Final = "image-segmentation"
_SECTIONS: Final = (("purpose", "Purpose"), ("limits", "Limits"), ("changes", "Changes"))
OTHER: Final = "other"  # the hub's word for a licence that it does not list


def write_card(path: Path, evaluation: Evaluation, dataset: str, about: Mapping[str, Any]) -> None:
    """Write the card. dataset: its name. about: the content of a model.toml, empty without one."""
    path.write_text(card(evaluation, dataset, about), encoding="utf-8")


def card(evaluation: Evaluation, dataset: str, about: Mapping[str, Any]) -> str:
    """The card's text."""
    name = str(about.get("name") or evaluation.source)
    head = yaml.safe_dump(_head(evaluation, dataset, about, name), sort_keys=False)
    sections = [f"# {_plain(name)}", f"Measured: {_plain(evaluation.source)}."]
    for key, title in _SECTIONS:
        if about.get(key):
            sections.append(f"## {title}\n{about[key]}")
    facts = [
        f"- {title}: {_plain(str(about[key]))}"
        for key, title in (("author", "Author"), ("licence", "Licence"))
        if about.get(key)
    ]
    if facts:
        sections.append("\n".join(facts))
    sections.append(_results(evaluation, dataset))
    return f"---\n{head}---\n\n" + "\n\n".join(sections) + "\n"


def _head(
    evaluation: Evaluation, dataset: str, about: Mapping[str, Any], name: str
) -> dict[str, Any]:
    found = evaluation.scores
    metrics = [
        {"type": "mean_iou", "name": "Mean IoU", "value": round(found.miou, 4)},
        {
            "type": "accuracy",
            "name": "Pixel accuracy",
            "value": round(found.pixel_accuracy, 4),
        },
    ]
    result = {
        "task": {"type": TASK, "name": "Semantic segmentation"},
        "dataset": {"type": "images", "name": dataset},
        "metrics": metrics,
    }
    licence = str(about.get("licence") or "")
    head: dict[str, Any] = {"license": OTHER}
    if licence:
        head["license_name"] = licence
    return head | {
        "pipeline_tag": TASK,
        "tags": ["semantic-segmentation", "segserve"],
        "metrics": ["mean_iou", "accuracy"],
        "model-index": [{"name": name, "results": [result]}],
    }


def _results(evaluation: Evaluation, dataset: str) -> str:
    found, pixels = evaluation.scores, evaluation.confusion.sum(axis=1)
    rows = [
        f"| {_plain(name)} | {_share(found.iou.get(index))} | {int(pixels[index]):,} |"
        for index, name in evaluation.labels.items()
    ]
    return "\n".join(
        [
            "## Results",
            f"{len(evaluation.pictures)} labelled pictures of {_plain(dataset)}: mean IoU "
            f"{found.miou:.4f}, pixel accuracy {found.pixel_accuracy:.4f}.",
            "",
            "| class | IoU | pixels |",
            "| --- | --- | --- |",
            *rows,
        ]
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _plain(text: str) -> str:
    """Text for one line of Markdown, of a table too."""
    return " ".join(text.split()).replace("|", "\\|")
