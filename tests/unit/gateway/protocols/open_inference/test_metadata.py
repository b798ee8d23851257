"""What the Open Inference Protocol tells of a model."""

from gateway.protocols.open_inference.metadata import metadata
from gateway.protocols.open_inference.requests import INPUT, OUTPUTS
from gateway.torchserve.management import ModelStatus, VersionStatus


def test_the_tensors_are_those_that_requests_name() -> None:
    """With every version that there is."""
    versions = (VersionStatus("1.0", 1, None), VersionStatus("2.0", 0, None))
    found = metadata("deeplabv3", ModelStatus("1.0", versions))
    assert found.versions == ["1.0", "2.0"]
    assert [each.name for each in found.inputs] == [INPUT]
    assert [each.name for each in found.outputs] == list(OUTPUTS)
