"""Response headers that name the model and its version."""


def model_headers(model: str, version: str) -> dict[str, str]:
    """X-Model and X-Model-Version."""
    return {"X-Model": model, "X-Model-Version": version}
