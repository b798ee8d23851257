"""The headers that name the model and the version of an answer."""


def model_headers(model: str, version: str) -> dict[str, str]:
    """X-Model and X-Model-Version."""
    return {"X-Model": model, "X-Model-Version": version}
