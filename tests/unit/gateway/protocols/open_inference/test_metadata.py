"""Model metadata of the Open Inference Protocol."""

from gateway.models.status import ModelStatus, VersionStatus
from gateway.protocols.open_inference.metadata import metadata
from gateway.protocols.open_inference.requests import INPUT, OUTPUTS


def test_the_tensors_are_those_that_requests_name() -> None:
    """The metadata has every version, and the tensors that requests use."""
    versions = (VersionStatus("1.0", 1, None), VersionStatus("2.0", 0, None))
    described = metadata("deeplabv3", ModelStatus("1.0", versions))
    assert described.versions == ["1.0", "2.0"]
    assert [each.name for each in described.inputs] == [INPUT]
    assert [each.name for each in described.outputs] == list(OUTPUTS)
