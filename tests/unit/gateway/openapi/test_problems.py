"""The errors of a route in the document."""

from gateway.openapi.problems import problems


def test_problems_of_one_status_are_one_answer() -> None:
    """With an example of each, and what they are in the description."""
    found = problems("overloaded", "model_unavailable")
    assert list(found) == [503]
    assert found[503]["description"] == "The service is overloaded or The model is not available"
    examples = found[503]["content"]["application/problem+json"]["examples"]
    assert list(examples) == ["overloaded", "model_unavailable"]
    assert "Retry-After" in found[503]["headers"]


def test_a_route_has_words_of_its_own() -> None:
    """Which also say that it has the problem."""
    found = problems("invalid_request", invalid_request="No name.", conflict="Twice.")
    assert list(found) == [422, 409]
    examples = found[422]["content"]["application/problem+json"]["examples"]
    assert examples["invalid_request"]["value"]["detail"] == "No name."
    assert found[422]["description"] == "The request is not valid"
