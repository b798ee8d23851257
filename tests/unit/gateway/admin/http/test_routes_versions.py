"""The routes of versions: uploads, lists, and what is left of refused ones."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.unit.gateway.admin.conftest import MODEL, Running, add, archive, evaluate
from tests.unit.gateway.archives.zip_files import with_entry

pytestmark = pytest.mark.anyio

VERSIONS = f"{MODEL}/versions"


def without(name: str) -> bytes:
    """An archive that lacks a file."""
    missing: dict[str, str | bytes | None] = {name: None}
    return archive("2.0", **missing)


async def test_an_uploaded_archive_becomes_a_version(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """201 with all that the archive says, the model's ETag, and the archive in the store."""
    response = await gateway.post(VERSIONS, content=archive("2.0"), params={"workers": 2})
    body = response.json()
    assert response.status_code == 201, response.text
    assert (body["model"], body["version"], body["state"]) == ("deeplabv3", "2.0", "available")
    assert body["labels"] == {"0": "background", "1": "cat", "2": "dog"}
    assert (body["classes"], body["spec"]["architecture"]) == (3, "deeplabv3")
    assert (body["provenance"], body["card"]) == ({"weights": "bundled"}, None)
    assert body["created_by"].startswith("boss (")
    assert running.archives == [f"{body['sha256']}.mar"]
    model = await gateway.get(MODEL)
    assert model.headers["ETag"] == response.headers["ETag"] == f'"{model.json()["etag"]}"'
    assert model.json()["placements"] == [{"version": "2.0", "node": "*", "workers": 2}]
    assert (await gateway.get(f"{VERSIONS}/2.0")).json() == body


async def test_the_same_bytes_again_change_nothing(gateway: httpx.AsyncClient) -> None:
    """An upload that is repeated is a 200 and the same version."""
    first = await gateway.post(VERSIONS, content=archive("2.0"))
    again = await gateway.post(VERSIONS, content=archive("2.0"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.headers["ETag"] == again.headers["ETag"]


async def test_other_bytes_under_the_same_name_are_refused(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """A version's archive never changes: 409, and the other archive is not kept."""
    await add(gateway, "2.0")
    kept = running.archives
    other = archive("2.0", extra=b"other")
    response = await gateway.post(VERSIONS, content=other)
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert running.archives == kept


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", (422, "invalid_archive")),
        (b"no archive", (422, "invalid_archive")),
        (archive("2.0")[:-200], (422, "invalid_archive")),
        (archive("2.0", model="other"), (422, "invalid_archive")),
        (archive("../2.0"), (422, "invalid_archive")),
        (archive("stable"), (422, "invalid_archive")),
        (archive("all"), (422, "invalid_archive")),
        (with_entry("../../escape.py"), (422, "invalid_archive")),
        (without("deeplab/labels.json"), (422, "invalid_archive")),
        (without("segmentation_handler.py"), (422, "invalid_archive")),
        (b"x" * 200_001, (413, "archive_too_large")),
    ],
    ids=[
        "empty",
        "text",
        "truncated",
        "other model",
        "escaping name",
        "name of an alias",
        "name of all",
        "escaping file",
        "no labels",
        "no handler",
        "too large",
    ],
)
async def test_a_bad_archive_leaves_nothing(
    gateway: httpx.AsyncClient, running: Running, content: bytes, expected: tuple[int, str]
) -> None:
    """One clear error; no model, no version, no file."""
    response = await gateway.post(VERSIONS, content=content)
    problem = response.json()
    assert (response.status_code, problem["code"]) == expected
    assert "\n" not in problem["detail"]
    assert running.archives == []
    assert (await gateway.get("/v1/admin/models")).json() == {"items": [], "next": None}
    assert (await gateway.get("/v1/admin/audit")).json()["items"][0]["action"] == "key.add"


async def test_an_archive_that_grows_beyond_the_limit_while_it_comes_is_refused(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """Without Content-Length, the limit is checked while the archive is written to the disk."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    response = await gateway.post(VERSIONS, content=endless())
    assert (response.status_code, response.json()["code"]) == (413, "archive_too_large")
    assert running.archives == []


async def test_a_compressed_body_is_refused(gateway: httpx.AsyncClient) -> None:
    """Archives are sent as they are."""
    headers = {"Content-Encoding": "gzip"}
    response = await gateway.post(VERSIONS, content=archive("2.0"), headers=headers)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_encoding")


BAD_ADDRESSES: list[bytes] = [
    b"{",
    b"[]",
    b"{}",
    b'{"url": 3}',
    b'{"url": "s3://other/x.mar"}',
    b'{"url": "file:///etc/passwd"}',
    b'{"url": "http://127.0.0.1/x"}',
    b'{"url": "x", "more": 1}',
    b'{"url": "\\ud800"}',
    b"[" * 30_000,
    b"\xff",
]


async def test_only_addresses_of_the_store_are_fetched(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """A folder fetches nothing, and junk is a 422."""
    for body in BAD_ADDRESSES:
        headers = {"Content-Type": "application/json"}
        response = await gateway.post(VERSIONS, content=body, headers=headers)
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), (
            response.request.url
        )
        assert running.archives == []


async def test_a_long_json_body_is_refused(gateway: httpx.AsyncClient) -> None:
    """An address has no 64 KiB."""
    headers = {"Content-Type": "application/json"}
    response = await gateway.post(VERSIONS, content=b" " * 70_000, headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "image_too_large")


BAD_WORKERS: list[str] = ["-1", "1001", "x", "1e400", "9" * 400, "2.5", ""]


async def test_workers_are_a_number(gateway: httpx.AsyncClient) -> None:
    """A wrong number of workers is a 422 before the archive is read."""
    for workers in BAD_WORKERS:
        response = await gateway.post(VERSIONS, content=archive("2.0"), params={"workers": workers})
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request"), (
            response.request.url
        )


BAD_NAMES: list[str] = ["..", "a%2Fb", "%2e%2e", "-x", "a b", "ä", "x" * 33, "a\x00", "%00"]


async def test_a_bad_name_in_the_path_is_a_client_error(gateway: httpx.AsyncClient) -> None:
    """Names with slashes, dots alone and other signs lead nowhere."""
    for name in BAD_NAMES:
        for path in (
            f"/v1/admin/models/{name}",
            f"{VERSIONS}/{name}",
            f"{VERSIONS}/{name}/evaluations",
        ):
            response = await gateway.get(path.replace("\x00", "%00"))
            assert response.status_code in (404, 422), path
            assert response.json()["status"] == response.status_code


async def test_an_upload_that_is_repeated_with_its_key_gets_the_first_answer(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """The same Idempotency-Key and bytes: the answer of the first time, its 201 and ETag too."""
    headers = {"Idempotency-Key": "one"}
    first = await gateway.post(VERSIONS, content=archive("2.0"), headers=headers)
    await add(gateway, "3.0")
    again = await gateway.post(VERSIONS, content=archive("2.0"), headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.content, first.headers["ETag"]) == (again.content, again.headers["ETag"])
    other = await gateway.post(VERSIONS, content=archive("4.0"), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "invalid_request")
    assert len(running.archives) == 2  # what is refused is not kept
    listed = (await gateway.get(VERSIONS)).json()["items"]
    assert [each["version"] for each in listed] == ["2.0", "3.0"]


async def test_two_admins_add_the_same_version_at_once(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """Of the same bytes both succeed, of different bytes one; the archive of it is there."""
    same = await asyncio.gather(*(gateway.post(VERSIONS, content=archive("2.0")) for _ in range(5)))
    assert sorted(each.status_code for each in same) == [200, 200, 200, 200, 201]
    contents = [archive("3.0", extra=f"{number}".encode()) for number in range(5)]
    answers = await asyncio.gather(*(gateway.post(VERSIONS, content=each) for each in contents))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]
    (winner,) = [each.json() for each in answers if each.status_code == 201]
    assert f"{winner['sha256']}.mar" in running.archives


async def test_a_version_may_not_have_the_name_of_an_alias(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """It would take the alias's requests without a word."""
    await add(gateway, "2.0")
    await gateway.put(f"{MODEL}/aliases/beta", json={"version": "2.0"})
    response = await gateway.post(VERSIONS, content=archive("beta"))
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert len(running.archives) == 1


async def test_a_retired_version_is_served_no_longer_and_its_archive_is_gone(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """Its record stays; the same archive brings it back."""
    await add(gateway, "2.0", workers=1)
    retired = await gateway.delete(f"{VERSIONS}/2.0", params={"why": "superseded"})
    assert (retired.status_code, retired.content) == (204, b"")
    assert running.archives == []
    assert (await gateway.get(f"{VERSIONS}/2.0")).json()["state"] == "retired"
    assert (await gateway.get(MODEL)).json()["placements"] == []
    entry = (await gateway.get("/v1/admin/audit")).json()["items"][0]
    assert (entry["action"], entry["subject"], entry["why"]) == (
        "version.retire",
        "2.0",
        "superseded",
    )
    again = await gateway.post(VERSIONS, content=archive("2.0"))
    assert (again.status_code, again.json()["state"]) == (201, "available")
    assert len(running.archives) == 1


async def test_a_version_that_an_alias_names_stays(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """409 for a stable one, 404 for an unknown one; the archive stays."""
    await add(gateway, "2.0")
    await gateway.post(f"{MODEL}/promote", json={"version": "2.0"})
    assert (await gateway.delete(f"{VERSIONS}/2.0")).status_code == 409
    assert (await gateway.delete(f"{VERSIONS}/9.9")).status_code == 404
    assert (await gateway.delete("/v1/admin/models/none/versions/9.9")).status_code == 404
    assert len(running.archives) == 1


async def test_pages_of_versions_survive_insertions(gateway: httpx.AsyncClient) -> None:
    """Each version is on one page, though others are added between the pages."""
    await add(gateway, "1.0", "2.0", "3.0")
    first = (await gateway.get(VERSIONS, params={"limit": 2})).json()
    await add(gateway, "0.5", "4.0")
    second = (await gateway.get(VERSIONS, params={"limit": 2, "cursor": first["next"]})).json()
    last = (await gateway.get(VERSIONS, params={"limit": 2, "cursor": second["next"]})).json()
    pages = [[each["version"] for each in page["items"]] for page in (first, second, last)]
    assert pages == [["1.0", "2.0"], ["3.0", "0.5"], ["4.0"]]
    assert last["next"] is None


async def test_a_versions_evaluations_are_summed_up(gateway: httpx.AsyncClient) -> None:
    """The newest mean IoU on each data set is in the list."""
    await add(gateway, "2.0", evaluated=0.5)
    await evaluate(gateway, "2.0", 0.75)
    (version,) = (await gateway.get(VERSIONS)).json()["items"]
    assert version["evaluations"] == [{"data_name": "voc", "data_digest": "d" * 64, "miou": 0.75}]


async def test_nobody_without_the_role_changes_anything(
    gateway: httpx.AsyncClient, running: Running
) -> None:
    """A user's key is a 403, none a 401; neither is read to its end."""
    user = (await gateway.post("/v1/admin/keys", json={"name": "app"})).json()["key"]
    for headers, status in (({"Authorization": f"Bearer {user}"}, 403), ({}, 401)):
        gateway.headers.pop("Authorization", None)
        response = await gateway.post(VERSIONS, content=archive("2.0"), headers=headers)
        assert response.status_code == status
    assert running.archives == []


async def test_the_largest_label_file_is_kept_as_it_is(gateway: httpx.AsyncClient) -> None:
    """Labels of any language travel through the database unchanged."""
    names = {str(number): f"Straße {number} 猫" for number in range(3)}
    content = archive("2.0", **{"deeplab/labels.json": json.dumps(names)})
    assert (await gateway.post(VERSIONS, content=content)).json()["labels"] == names


async def test_an_upload_takes_if_match_and_a_reason(gateway: httpx.AsyncClient) -> None:
    """With workers too, which are a second change; an ETag of former times adds nothing."""
    await add(gateway, "1.0")
    etag = (await gateway.get(MODEL)).headers["ETag"]
    params = {"workers": "1", "why": "thinner cracks"}
    headers = {"If-Match": etag}
    added = await gateway.post(VERSIONS, content=archive("2.0"), params=params, headers=headers)
    assert added.status_code == 201, added.text
    entries = (await gateway.get("/v1/admin/audit")).json()["items"][:2]
    assert [each["why"] for each in entries] == ["thinner cracks"] * 2
    late = await gateway.post(VERSIONS, content=archive("3.0"), headers=headers)
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert (await gateway.get(f"{VERSIONS}/3.0")).status_code == 404
