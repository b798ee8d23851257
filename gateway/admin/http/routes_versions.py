"""The routes of versions: add, list, retire, and the upload of their archives."""

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

from fastapi import APIRouter, Request, Response

from gateway.admin import answers, uploads
from gateway.admin.bodies import ArchiveSource
from gateway.admin.http import openapi
from gateway.admin.http.parameters import (
    Changing,
    Cursor,
    Limit,
    ModelName,
    Repeatable,
    VersionName,
    WhyQuery,
    WorkersOf,
)
from gateway.admin.http.responses import (
    CHANGE_PROBLEMS,
    LIST_PROBLEMS,
    created,
    tagged,
)
from gateway.admin.schemas import RegisteredVersionDetail, RegisteredVersions
from gateway.admin.service import Administration
from gateway.admin.uploads import Upload
from gateway.errors import ArchiveTooLargeError, GatewayError
from gateway.http.json_body import body_too_large, parse
from gateway.http.uploads import limited
from gateway.openapi.problems import problems

_MOST_JSON_BYTES = 64 * 1024


def routes(administration: Administration) -> APIRouter:
    """The routes for an administration."""
    router = APIRouter(prefix="/v1/admin/models/{model}/versions", tags=["admin"])

    @router.get(
        "",
        summary="List the versions of a model",
        response_description="The versions, also retired ones, with their state on each node.",
        responses=problems("not_found", *LIST_PROBLEMS),
    )
    async def list_registered_versions(
        model: ModelName, limit: Limit = 50, cursor: Cursor = None
    ) -> RegisteredVersions:
        """Every version that was ever added, with the nodes that have it and its evaluations."""
        ages = administration.ages()
        return await administration.read(
            lambda c: answers.version_page(c, model, ages, limit, cursor)
        )

    @router.post(
        "",
        status_code=201,
        summary="Add a version",
        response_model=RegisteredVersionDetail,
        response_description="The version, which is new.",
        responses=openapi.ADDED | problems(*openapi.UPLOAD_PROBLEMS) | tagged(201),
        openapi_extra=openapi.ARCHIVE,
    )
    async def add_version(
        request: Request,
        model: ModelName,
        change: Changing,
        repeatable: Repeatable,
        workers: WorkersOf = None,
        why: WhyQuery = "",
    ) -> Response:
        """Takes an archive as `segserve build` makes it, as the body or from the object store.

        The archive is read to its end and checked before anything is kept. It may come as slowly
        as 64 KiB a second. Nothing is routed to the version before an alias names it.
        """
        upload = Upload(model, workers, replace(change, why=why), repeatable)
        chunks = await _chunks(administration, request)
        return created(await uploads.add_version(administration, upload, chunks))

    @router.get(
        "/{version}",
        summary="A version of the registry",
        response_description="The version, with all that its archive says about itself.",
        responses=problems("not_found", *LIST_PROBLEMS),
    )
    async def registered_version(model: ModelName, version: VersionName) -> RegisteredVersionDetail:
        """A version, its state on each node, its labels, specification, provenance and card."""
        ages = administration.ages()
        return await administration.read(lambda c: answers.version(c, model, version, ages))

    @router.delete(
        "/{version}",
        status_code=204,
        summary="Retire a version",
        response_description="It is served no longer.",
        responses=problems(*CHANGE_PROBLEMS),
    )
    async def retire_version(
        model: ModelName, version: VersionName, change: Changing, why: WhyQuery = ""
    ) -> None:
        """Its record stays; its archive is deleted if no other version has it.

        A version that an alias names stays. The same archive, added again, brings it back.
        """
        await uploads.retire(administration, model, version, replace(change, why=why))

    return router


async def _chunks(administration: Administration, request: Request) -> AsyncIterator[bytes]:
    """The archive of a request: its body, or an object of the store, which the body names."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        most = administration.max_archive_bytes
        return uploads.paced(limited(request, most, partial(_too_large, most)))
    refusal = partial(body_too_large, _MOST_JSON_BYTES)
    received = uploads.paced(limited(request, _MOST_JSON_BYTES, refusal))
    body = b"".join([chunk async for chunk in received])
    return administration.store.fetch(parse(body, ArchiveSource).url)


def _too_large(most: int) -> GatewayError:
    return ArchiveTooLargeError(f"The archive has more than {most} bytes, the limit.")
