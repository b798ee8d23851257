"""Error responses in the OpenAPI document."""

from gateway.openapi.problems import problems


def test_problems_of_one_status_are_one_response() -> None:
    """Errors with the same status share a response, with an example and a title each."""
    responses = problems("overloaded", "model_unavailable")
    assert list(responses) == [503]
    assert (
        responses[503]["description"] == "The service is overloaded or The model is not available"
    )
    examples = responses[503]["content"]["application/problem+json"]["examples"]
    assert list(examples) == ["overloaded", "model_unavailable"]
    assert "Retry-After" in responses[503]["headers"]


def test_a_route_may_have_its_own_details() -> None:
    """A route may replace the detail of an example, which also adds the error."""
    responses = problems("invalid_request", invalid_request="No name.", conflict="Twice.")
    assert list(responses) == [422, 409]
    examples = responses[422]["content"]["application/problem+json"]["examples"]
    assert examples["invalid_request"]["value"]["detail"] == "No name."
    assert responses[422]["description"] == "The request is not valid"
