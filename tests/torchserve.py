"""What TorchServe itself says, by its management API and its token."""

import json

import httpx

from tests.stack import Stack


def loaded(stack: Stack) -> dict[str, list[str]]:
    """Model -> its versions that a product's TorchServe has loaded."""
    key = json.loads(stack.tokens_file.read_text())["management"]["key"]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(
        base_url=stack.management_url, headers=headers, timeout=30.0, trust_env=False
    ) as client:
        names = [each["modelName"] for each in client.get("/models").json()["models"]]
        return {
            name: [each["modelVersion"] for each in client.get(f"/models/{name}/all").json()]
            for name in names
        }
