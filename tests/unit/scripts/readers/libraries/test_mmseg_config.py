"""mmsegmentation's configuration is read as data."""

import pytest

from scripts.readers.libraries.mmseg.config import mapping, read_config, resize_of_test

NEWER = """
_base_ = ['../a.py']
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(backbone=dict(type='ResNetV1c', dilations=(1, 1, 2, 4), norm_cfg=norm_cfg, x=-1.5))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 512), keep_ratio=True),
]
lambdas = [f(1), {'a': 2}]
"""
OLDER = """
test_pipeline = [
    dict(type='MultiScaleFlipAug', img_scale=(2049, 1025), flip=False,
         transforms=[dict(type='Resize', keep_ratio=True), dict(type='RandomFlip')])]
"""


def test_values_are_those_of_the_text() -> None:
    """Dicts, tuples, negative numbers and names from above; calls are no values."""
    config = read_config(NEWER)
    assert config["model"]["backbone"] == {
        "type": "ResNetV1c",
        "dilations": [1, 1, 2, 4],
        "norm_cfg": {"type": "SyncBN", "requires_grad": True},
        "x": -1.5,
    }
    assert config["lambdas"] == [None, {"a": 2}]


@pytest.mark.parametrize("text", [None, 7, "", "(", "\0", "import os\nos.abort()", "a = b = 1 +"])
def test_no_text_is_run_or_fatal(text: object) -> None:
    """What is no configuration has no values."""
    assert read_config(text) == {}


def test_the_scale_is_found_in_both_generations() -> None:
    """The newer one names it in Resize, the older around it."""
    assert resize_of_test(read_config(NEWER)) == ((2048, 512), True)
    assert resize_of_test(read_config(OLDER)) == ((2049, 1025), True)
    assert resize_of_test({}) is None
    assert resize_of_test({"test_pipeline": [{"type": "Resize", "scale": [0, 1]}, 3]}) is None


def test_anything_else_is_an_empty_dict() -> None:
    """A value that should be a dict and is none."""
    assert mapping(None) == {}
    assert mapping([1]) == {}
