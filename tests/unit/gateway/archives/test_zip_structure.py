"""What every unpacker sees is what was checked: no way out of the folder, and no zip bomb."""

import io
import stat
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Mapping

import pytest

from gateway.archives.zip_structure import Limits, contents, read_entries
from gateway.errors import InvalidArchiveError
from tests.unit.gateway.archives.zip_files import sound_archive, sound_files, with_entry, zipped


def unpack(archive: bytes, limits: Limits | None = None) -> Mapping[str, int]:
    """Check an archive to its end; return the size of each file."""
    file = io.BytesIO(archive)
    entries = read_entries(file, limits or Limits())
    return {
        name: sum(len(block) for block in contents(file, entry)) for name, entry in entries.items()
    }


def refusal(archive: bytes, limits: Limits | None = None) -> str:
    """The line with which an archive is refused."""
    with pytest.raises(InvalidArchiveError) as refused:
        unpack(archive, limits)
    return refused.value.detail


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_sound_archive_is_read(compression: int) -> None:
    """Packed or not."""
    files = sound_files()
    assert unpack(zipped(files, compression)) == {name: len(each) for name, each in files.items()}


@pytest.mark.parametrize(
    "content",
    [bytes(262_200), b"abc, " * 52_429, bytes(262_144), bytes(262_145), bytes(5_000_000), b""],
    ids=["zeros", "text", "a block", "a block and a byte", "many blocks", "nothing"],
)
def test_what_unpacks_to_more_than_a_block_is_read(content: bytes) -> None:
    """Also where the last bytes of the packed file unpack to several blocks."""
    archive = zipped({"more.bin": content})
    assert unpack(archive)["more.bin"] == len(content)


def test_an_archive_from_a_pipe_is_read() -> None:
    """Its sizes follow each file."""

    class Pipe(io.RawIOBase):
        """A file that cannot be moved in, as a pipe."""

        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]  # narrower, as zipfile calls it
            self.data += data
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sound_files().items():
            archive.writestr(name, content)
    assert unpack(bytes(pipe.data))["network/network.bin"] == 76_800


def test_folders_are_taken() -> None:
    """They are no files."""
    assert "empty" not in str(unpack(with_entry("empty/", b"", mode=0o40755)))


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.py",
        "deeplab/../../escaped.py",
        "..",
        "deeplab/..",
        "/etc/cron.d/escaped",
        "//host/escaped",
        "a//b",
        "./a",
        "a/.",
        "a\\..\\..\\escaped.py",
        "..\\escaped.py",
        "C:\\escaped.py",
        "C:/escaped.py",
        "a\0.py",
        "a\n.py",
        "a\x1b[0m",
        "/",
        "x" * 513,
    ],
)
def test_names_that_escape_are_refused(name: str) -> None:
    """Whatever separator they use; control characters too."""
    assert "not the name of a file" in refusal(with_entry(name))


@pytest.mark.parametrize(
    "kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK]
)
def test_links_and_devices_are_refused(kind: int) -> None:
    """A link could lead out of the folder, and the next file through it."""
    detail = refusal(with_entry("link", b"/etc", mode=kind | 0o777))
    assert detail == "'link' is a link or a device. Only files can be taken."


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["model.json", "MODEL.json", "Deeplab/labels.json"])
def test_files_that_overwrite_each_other_are_refused(name: str) -> None:
    """What was checked must be what is unpacked last, whatever the case."""
    assert "twice" in refusal(with_entry(name))


@pytest.mark.parametrize("name", ["model.json/a.py", "model.json/", "Model.json/b/c"])
def test_a_file_cannot_be_a_folder(name: str) -> None:
    """It could not be unpacked."""
    content = b"" if name.endswith("/") else b"x"
    detail = refusal(with_entry(name, content, mode=0o100644))
    assert "below a file" in detail or "twice" in detail


def test_too_many_files_are_refused() -> None:
    """Before they are listed."""
    many = zipped({f"{number}.txt": "" for number in range(11)})
    assert refusal(many, Limits(files=10)) == "The archive has more than 10 files."


def test_a_long_list_of_files_is_not_read() -> None:
    """A hundred thousand names cost no memory."""
    many = zipped({f"{number}.txt": "" for number in range(100_000)}, zipfile.ZIP_STORED)
    tracemalloc.start()
    detail = refusal(many)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "kind zip64" in detail or "more than 2000 files" in detail
    assert peak < 2_000_000


def bomb(size: int, stated: int | None = None) -> bytes:
    """An archive with zeros. stated: what its headers say instead of the size."""
    packer, parts = zlib.compressobj(9, zlib.DEFLATED, -15), []
    block, checksum = bytes(16 * 1024 * 1024), 0
    for _ in range(size // len(block)):
        parts.append(packer.compress(block))
    packed = b"".join([*parts, packer.flush()])
    says = size if stated is None else stated
    checksum = zlib.crc32(bytes(says)) if says < 1 << 20 else 0
    name = b"zeros.bin"
    fields = (checksum, len(packed), says, len(name), 0)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, *fields) + name
    listed = (
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, *fields, 0, 0, 0, 0, 0) + name
    )
    at = len(local) + len(packed)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listed), at, 0)
    return local + packed + listed + end


def test_three_gigabytes_of_zeros_are_refused() -> None:
    """By what the list says, without unpacking them."""
    archive = bomb(3 * 1024**3)
    assert len(archive) < 4_000_000
    assert "unpacks to 3221225472" in refusal(archive)


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    """Not more is unpacked than it says, and it is damaged then."""
    archive = bomb(256 * 1024**2, stated=1000)
    tracemalloc.start()
    detail = refusal(archive)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "damaged at 'zeros.bin'" in detail
    assert peak < 4_000_000


def test_a_network_may_be_large() -> None:
    """A limit of its archive's size, and one of all."""
    zeros = {"network.bin": bytes(200_000)}
    assert unpack(zipped(zeros), Limits(base=200_000, ratio=0)) == {"network.bin": 200_000}
    assert "199999 are the limit" in refusal(zipped(zeros), Limits(base=199_999, ratio=0))
    assert "unpacks to 200000; 1000 are" in refusal(zipped(zeros), Limits(bytes=1000))


def test_encrypted_entries_are_refused() -> None:
    """In the list, in front of the file, or in both."""
    archive = bytearray(sound_archive())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        archive[archive.index(mark) + at] |= 1
    assert "encrypted at 'model.json'" in refusal(bytes(archive))


def test_a_list_that_differs_from_the_files_is_refused() -> None:
    """TorchServe reads the names in front of the files, Python those of the list."""
    archive = sound_archive().replace(b"model.json", b"../../.jso", 1)
    assert "damaged at 'model.json'" in refusal(archive)


@pytest.mark.parametrize("where", ["before", "between", "behind"])
def test_bytes_that_belong_to_no_file_are_refused(where: str) -> None:
    """An unpacker that reads from the front would find another archive there."""
    archive = sound_archive()
    at = {"before": 0, "between": archive.index(b"PK\1\2"), "behind": len(archive)}[where]
    hidden = zipped({"../escaped": "x"})
    assert refusal(archive[:at] + hidden + archive[at:])


def test_a_hidden_file_is_refused() -> None:
    """It is between two files, and in no list."""
    files = sound_files()
    first, *_ = files
    alone = zipped({first: files[first]})
    whole = bytearray(zipped(files))
    hidden = zipped({"escaped.py": "x"})
    hidden = hidden[: hidden.index(b"PK\1\2")]
    start = alone.index(b"PK\1\2")
    whole[start:start] = hidden
    # All offsets of the list behind it, and the list's own, are moved.
    at = whole.index(b"PK\1\2")
    while whole[at : at + 4] == b"PK\1\2":
        name, extra, comment = struct.unpack_from("<3H", whole, at + 28)
        offset = struct.unpack_from("<L", whole, at + 42)[0]
        struct.pack_into("<L", whole, at + 42, offset + (len(hidden) if offset else 0))
        at += 46 + name + extra + comment
    struct.pack_into(
        "<L", whole, at + 16, struct.unpack_from("<L", whole, at + 16)[0] + len(hidden)
    )
    assert set(zipfile.ZipFile(io.BytesIO(whole)).namelist()) == set(files)
    assert refusal(bytes(whole)) == "The archive has bytes that belong to no file."


def test_a_changed_content_is_refused() -> None:
    """Its checksum says so."""
    archive = zipped({"a.bin": b"x" * 100}, zipfile.ZIP_STORED).replace(b"xxx", b"xyx", 1)
    assert "damaged at 'a.bin'" in refusal(archive)
