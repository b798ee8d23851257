"""Forms and bodies are read as they arrive, no further than the limits."""

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from gateway.admission.upload_budget import UploadBudget
from gateway.errors import (
    GatewayError,
    ImageTooLargeError,
    InvalidRequestError,
    OverloadedError,
    UnreadableImageError,
    UnsupportedEncodingError,
)
from gateway.http.uploads import read_image
from tests.unit.gateway.doubles import BOUNDARY, FORM_TYPE, form, part

pytestmark = pytest.mark.anyio

LIMIT = 1000
PHOTO = bytes(range(256)) + b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n" + bytes(200)
TEXT = 'form-data; name="note"'


# What clients send after the field's name: Go and .NET without a name, .NET and urllib3 before 1.25
# in RFC 5987's form, PHP and old browsers as raw bytes, Java as RFC 2047, Windows with its folders.
FILE_NAMES = (
    "",
    ";",
    '; filename=""',
    "; filename*=UTF-8''c%C3%A4t.jpg",
    "; filename*=utf-8''c%C3%A4t.jpg; size=3",
    "; filename*=\"utf-8''c.jpg\"",
    "; filename*=ISO-8859-1'en'c%E4t.jpg",
    "; filename*=unicode_escape''%5Cud800.jpg",
    "; filename*=",
    "; filename*=%",
    "; filename*0=a; filename*1=b.jpg",
    "; filename=\"=?utf-8?B?w6QuanBn?=\"; filename*=utf-8''%C3%A4.jpg",
    '; FileName="a b.jpg"',
    '; filename="C:\\\\dir\\\\a.jpg"',
    '; filename="a\\"b.jpg"',
    '; filename="a;name=x.jpg"',
    "; filename=a b.jpg",
)


class Upload:
    """A request whose body arrives in pieces, and the number of pieces that were read."""

    def __init__(
        self,
        pieces: list[bytes],
        content_type: str = FORM_TYPE,
        length: str | None = None,
        complete: bool = True,
    ) -> None:
        self.pieces_read = 0
        self._complete = complete
        self._pieces = pieces
        headers = [(b"content-type", content_type.encode("latin-1"))]
        if length is not None:
            headers.append((b"content-length", length.encode()))
        self.request = Request({"type": "http", "headers": headers}, self._receive)

    async def _receive(self) -> Message:
        if self.pieces_read == len(self._pieces):
            return {"type": "http.disconnect"}
        piece = self._pieces[self.pieces_read]
        self.pieces_read += 1
        more = self.pieces_read < len(self._pieces) or not self._complete
        return {"type": "http.request", "body": piece, "more_body": more}

    async def read(self, budget: int = 10_000, *, raw: bool = False) -> bytes:
        with UploadBudget(budget).upload() as image:
            await read_image(self.request, LIMIT, image, raw=raw)
            return b"".join(image.blocks)


def pieces(body: bytes, size: int) -> list[bytes]:
    """The body cut into pieces of one size."""
    return [body[start : start + size] for start in range(0, len(body), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
async def test_the_file_arrives_whole_however_it_is_cut(size: int) -> None:
    """Packets may be cut anywhere, even within something that resembles the boundary."""
    assert await Upload(pieces(form(part(PHOTO)), size)).read() == PHOTO


@pytest.mark.parametrize(
    "body",
    [
        form(part(b"a note", TEXT), part(PHOTO)),
        form(part(PHOTO), part(b"a note", TEXT)),
        form(part(bytes(2 * LIMIT), 'form-data; name="other"; filename="b.jpg"'), part(PHOTO)),
        form(part(PHOTO, 'form-data; filename="a.jpg"; name="file"')),
        form(part(PHOTO, "form-data; name=file; filename=a.jpg")),
        form(part(PHOTO, 'form-data; name="file"; filename="\u00e4\u4e2d.jpg"')),
        form(part(PHOTO)).replace(b"Content-Type: image/jpeg\r\n", b""),
        form(part(PHOTO)).replace(b"image/jpeg", b"text/html"),
        form(part(PHOTO)).replace(b"Content-Disposition", b"content-disposition"),
        form(part(PHOTO)) + b"an epilogue",
        *(form(part(PHOTO, f'form-data; name="file"{name}')) for name in FILE_NAMES),
        *(
            form(part(PHOTO)).replace(
                b"Content-Type:", b"Content-Transfer-Encoding: %b\r\nContent-Type:" % encoding
            )
            for encoding in (b"binary", b"8bit", b"7bit", b"BINARY")
        ),
    ],
)
async def test_fields_come_in_any_order_and_types_are_not_trusted(body: bytes) -> None:
    """The field name alone identifies the file; declared types are ignored."""
    assert await Upload([body]).read() == PHOTO


@pytest.mark.parametrize(
    ("body", "content_type", "error", "detail"),
    [
        (b"", FORM_TYPE, InvalidRequestError, "closing boundary"),
        (form(), FORM_TYPE, InvalidRequestError, "no field 'file'"),
        (form(part(b"x", TEXT)), FORM_TYPE, InvalidRequestError, "no field 'file'"),
        (
            form(part(b"photo.jpg", 'form-data; name="file"')),
            FORM_TYPE,
            InvalidRequestError,
            "text without a file name",
        ),
        (
            form(part(b"", 'form-data; name="file"; filename=""')),
            FORM_TYPE,
            UnreadableImageError,
            "empty",
        ),
        (form(part(b"")), FORM_TYPE, UnreadableImageError, "empty"),
        (form(part(b"x"), part(b"y")), FORM_TYPE, InvalidRequestError, "more than one"),
        (form(*[part(b"", TEXT)] * 101), FORM_TYPE, InvalidRequestError, "parts"),
        (form(part(PHOTO))[:-10], FORM_TYPE, InvalidRequestError, "closing boundary"),
        (form(part(PHOTO))[:100], FORM_TYPE, InvalidRequestError, "closing boundary"),
        (b"a preamble\r\n" + form(part(b"x")), FORM_TYPE, InvalidRequestError, "malformed"),
        (b"no form at all", FORM_TYPE, InvalidRequestError, "curl"),
        (form(part(b"x", "\x00")), FORM_TYPE, InvalidRequestError, "no field"),
        (
            form(part(b"x")).replace(b"Content-Type:", b"Content Type:"),
            FORM_TYPE,
            InvalidRequestError,
            "malformed",
        ),
        (
            form(part(b"x", TEXT + "; x=" + "y" * 10_000)),
            FORM_TYPE,
            InvalidRequestError,
            "malformed",
        ),
        (form(part(b"x")), "multipart/form-data", InvalidRequestError, "no multipart form"),
        (form(part(b"x")), "multipart/form-data; boundary=", InvalidRequestError, "no multipart"),
        (
            form(part(b"x")),
            "multipart/form-data; boundary=" + "b" * 300,
            InvalidRequestError,
            "malformed",
        ),
        (b"file=x", "application/x-www-form-urlencoded", InvalidRequestError, "no multipart form"),
        (b"{}", "application/json", InvalidRequestError, "no multipart form"),
        (b"\xff\xd8", "image/jpeg", InvalidRequestError, "curl"),
        (b"", "", InvalidRequestError, "no multipart form"),
        (form(part(b"x")), "\xff\xfe;;;===", InvalidRequestError, "no multipart form"),
    ],
)
async def test_a_malformed_form_is_refused_with_an_explanation(
    body: bytes, content_type: str, error: type[GatewayError], detail: str
) -> None:
    """Every malformed form is a 4xx with a helpful detail."""
    with pytest.raises(error, match=detail):
        await Upload([body], content_type).read()


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_text_before_a_form_is_refused_however_it_is_cut(size: int) -> None:
    """A preamble is refused, also after line breaks, which alone are ignored."""
    sound, wrong = b"\r\n\r\n" + form(part(PHOTO)), b"\r\na preamble\r\n" + form(part(PHOTO))
    assert await Upload(pieces(sound, size)).read() == PHOTO
    with pytest.raises(InvalidRequestError, match="malformed"):
        await Upload(pieces(wrong, size)).read()


async def test_a_file_of_exactly_the_limit_is_taken() -> None:
    """The limit is inclusive."""
    assert len(await Upload([form(part(bytes(LIMIT)))]).read()) == LIMIT


async def test_a_larger_file_is_refused_before_it_has_all_arrived() -> None:
    """The limit is enforced while reading."""
    upload = Upload(pieces(form(part(bytes(100 * LIMIT))), 500))
    with pytest.raises(ImageTooLargeError, match="1000 bytes"):
        await upload.read()
    assert upload.pieces_read < 5


@pytest.mark.parametrize("length", ["1100000", "9" * 5000])
async def test_a_declared_length_beyond_the_limit_is_refused_unread(length: str) -> None:
    """Content-Length is checked before the body is read."""
    upload = Upload([b""], length=length)
    with pytest.raises(ImageTooLargeError):
        await upload.read()
    assert upload.pieces_read == 0


async def test_other_fields_cannot_be_endless() -> None:
    """Ignored fields are limited too."""
    upload = Upload([part(b"", TEXT)[:-2], *[bytes(10_000)] * 1000])
    with pytest.raises(ImageTooLargeError):
        await upload.read()
    assert upload.pieces_read < 120


async def test_an_upload_beyond_the_shared_memory_is_refused() -> None:
    """Concurrent uploads do not exhaust the memory."""
    with pytest.raises(OverloadedError):
        await Upload([form(part(bytes(500)))]).read(budget=499)


async def test_a_client_that_leaves_is_no_error_of_its_form() -> None:
    """A lost connection is distinguished from a malformed form."""
    with pytest.raises(ClientDisconnect):
        await Upload([form(part(PHOTO))[:100]], complete=False).read()


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("kind", ["image/jpeg", "", "application/x-www-form-urlencoded", "\xff;;="])
async def test_a_body_that_is_no_form_may_be_the_image(kind: str, size: int) -> None:
    """The body itself may be the image, as from curl --data-binary, whatever its declared type."""
    assert await Upload(pieces(PHOTO, size), kind).read(raw=True) == PHOTO


async def test_a_form_is_read_as_one_where_both_are_taken() -> None:
    """The declared type distinguishes a form from an image."""
    assert await Upload([form(part(PHOTO))]).read(raw=True) == PHOTO


async def test_a_body_has_the_limit_of_an_image() -> None:
    """A body that is the image has no allowance for a form."""
    assert len(await Upload([bytes(LIMIT)], "").read(raw=True)) == LIMIT
    upload = Upload([bytes(LIMIT), b"x", b"y"], "")
    with pytest.raises(ImageTooLargeError):
        await upload.read(raw=True)
    assert upload.pieces_read == 2
    with pytest.raises(ImageTooLargeError):
        await Upload([b""], "", length=str(LIMIT + 1)).read(raw=True)


async def test_an_empty_body_is_no_image() -> None:
    """An empty body is refused like an empty file."""
    with pytest.raises(UnreadableImageError, match="empty"):
        await Upload([b""], "image/jpeg").read(raw=True)


@pytest.mark.parametrize(
    "coding", ["gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip", "x", "aws-chunked"]
)
@pytest.mark.parametrize(("raw", "kind"), [(False, FORM_TYPE), (True, FORM_TYPE), (True, "")])
async def test_a_compressed_body_is_refused_unread(coding: str, raw: bool, kind: str) -> None:
    """Its coding is named, whether the body is a form or the image: neither is malformed."""
    upload = Upload([form(part(PHOTO))], kind)
    upload.request.scope["headers"].append((b"content-encoding", coding.encode()))
    with pytest.raises(UnsupportedEncodingError, match=f"'{coding}' is not taken") as caught:
        await upload.read(raw=raw)
    assert caught.value.headers == {"Accept-Encoding": "identity"}
    assert upload.pieces_read == 0


@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity, identity"])
async def test_no_coding_may_be_declared_too(coding: str) -> None:
    """Identity is the coding of a body as it is."""
    upload = Upload([form(part(PHOTO))])
    upload.request.scope["headers"].append((b"content-encoding", coding.encode()))
    assert await upload.read() == PHOTO


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Transfer-Encoding: base64",
        b"content-transfer-encoding: Quoted-Printable",
        b"Content-Encoding: gzip",
    ],
)
async def test_an_encoded_file_of_a_form_is_refused(header: bytes) -> None:
    """The encoding is named; the handler would call the file unreadable."""
    body = form(part(PHOTO)).replace(b"Content-Type:", header + b"\r\nContent-Type:")
    with pytest.raises(UnsupportedEncodingError, match=header.decode().split(": ")[1]):
        await Upload([body]).read()


async def test_another_field_may_have_any_encoding() -> None:
    """Only the file's matters."""
    note = part(b"YQ==", TEXT).replace(b"Content-Type:", b"Content-Transfer-Encoding: base64\r\nA:")
    assert await Upload([form(note, part(PHOTO))]).read() == PHOTO


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("content", [b"photo.jpg", b"@photo.jpg\r\n", b"x" * 300])
async def test_a_forgotten_sign_is_explained(content: bytes, size: int) -> None:
    """Short text without a file name is what curl -F file=photo.jpg sends."""
    body = form(part(content, 'form-data; name="file"'))
    with pytest.raises(InvalidRequestError, match=r"curl -F file=@photo\.jpg"):
        await Upload(pieces(body, size)).read()


@pytest.mark.parametrize("content", [b"x" * 301, b"GIF89a\x01\x00", b"\xff\xd8\xff"])
async def test_a_file_without_a_name_may_be_short(content: bytes) -> None:
    """Every image has bytes that no text has."""
    assert await Upload([form(part(content, 'form-data; name="file"'))]).read() == content
