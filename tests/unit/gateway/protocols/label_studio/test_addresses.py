"""Addresses of images on the one Label Studio server."""

import pytest

from gateway.errors import InvalidRequestError
from gateway.protocols.label_studio.addresses import Origin, origin_of, path_of

ORIGIN = origin_of("http://studio.test:8080")
NESTED = origin_of("https://studio.test/tools/label-studio/")
FILE = "/data/upload/3/x.jpg"
LOCAL = "/data/local-files/?d="


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://studio.test:8080", Origin("http", "studio.test:8080", "")),
        ("HTTP://Studio.test:80/", Origin("http", "studio.test", "")),
        ("https://studio.test:443/a/", Origin("https", "studio.test", "/a")),
        ("https://studio.test:80", Origin("https", "studio.test:80", "")),
        ("http://[::1]:8080", Origin("http", "[::1]:8080", "")),
    ],
)
def test_an_origin_has_one_form(url: str, expected: Origin) -> None:
    """Case and default ports of the setting do not matter."""
    assert origin_of(url) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (FILE, FILE),
        (f"http://studio.test:8080{FILE}", FILE),
        (f"HTTP://STUDIO.TEST:8080{FILE}", FILE),
        ("/data/upload/x.jpg", "/data/upload/x.jpg"),
        ("/data/upload/3/a b.jpg", "/data/upload/3/a%20b.jpg"),
        ("/data/upload/3/a%20b.jpg", "/data/upload/3/a%20b.jpg"),
        ("/data/upload/3/k\u00e4se.jpg", "/data/upload/3/k%C3%A4se.jpg"),
        ("/data/upload/3/k%C3%A4se.jpg", "/data/upload/3/k%C3%A4se.jpg"),
        ("/data/upload/3/a+b@c:d.jpg", "/data/upload/3/a%2Bb%40c%3Ad.jpg"),
        ("/data/upload/3/..x..jpg", "/data/upload/3/..x..jpg"),
        (f"{LOCAL}set/x.jpg", f"{LOCAL}set/x.jpg"),
        ("/data/local-files?d=set/x.jpg", f"{LOCAL}set/x.jpg"),
        (f"http://studio.test:8080{LOCAL}set/x.jpg", f"{LOCAL}set/x.jpg"),
        (f"{LOCAL}set%2Fa%20b.jpg", f"{LOCAL}set/a%20b.jpg"),
        (f"{LOCAL}set/a+b.jpg", f"{LOCAL}set/a%20b.jpg"),
        (f"{LOCAL}set/a%26b%23c.jpg", f"{LOCAL}set/a%26b%23c.jpg"),
        (f"{LOCAL}100%25.jpg", f"{LOCAL}100%25.jpg"),
    ],
)
def test_files_of_the_server_are_found(address: str, expected: str) -> None:
    """Uploads and local files, relative or absolute; the path is written anew."""
    assert path_of(address, ORIGIN) == expected


@pytest.mark.parametrize(
    "address", [FILE, f"/tools/label-studio{FILE}", f"https://studio.test/tools/label-studio{FILE}"]
)
def test_a_server_may_be_below_a_path(address: str) -> None:
    """The prefix is part of every address that is requested, and appears once."""
    url = NESTED.url(path_of(address, NESTED))
    assert url == "https://studio.test/tools/label-studio/data/upload/3/x.jpg"


REFUSED = [
    # Other hosts and other names of the same host.
    f"http://evil.test{FILE}",
    f"http://studio.test{FILE}",
    f"http://studio.test:8081{FILE}",
    f"http://studio.test.evil.test:8080{FILE}",
    f"http://studio.test:8080.evil.test{FILE}",
    f"http://studio.test.:8080{FILE}",
    f"http://127.0.0.1:8080{FILE}",
    f"http://localhost:8080{FILE}",
    f"http://2130706433:8080{FILE}",
    f"http://0x7f000001:8080{FILE}",
    f"http://0177.0.0.1:8080{FILE}",
    f"http://127.1:8080{FILE}",
    f"http://0:8080{FILE}",
    f"http://[::1]:8080{FILE}",
    f"http://[::ffff:127.0.0.1]:8080{FILE}",
    f"http://[fe80::1%25eth0]:8080{FILE}",
    f"http://169.254.169.254{FILE}",
    f"http://stud\u0131o.test:8080{FILE}",
    f"http://studio\u3002test:8080{FILE}",
    f"http://studio.test:8080\u2044{FILE}",
    # Users.
    f"http://studio.test:8080@evil.test{FILE}",
    f"http://evil.test@studio.test:8080{FILE}",
    f"http://a:b@studio.test:8080{FILE}",
    f"http://studio.test:8080%40evil.test{FILE}",
    # Schemes.
    f"https://studio.test:8080{FILE}",
    f"ftp://studio.test:8080{FILE}",
    f"gopher://studio.test:8080{FILE}",
    f"file://studio.test:8080{FILE}",
    "file:///etc/passwd",
    "s3://bucket/x.jpg",
    f"http:studio.test:8080{FILE}",
    f"http:/studio.test:8080{FILE}",
    f"http:{FILE}",
    f"jar:http://studio.test:8080{FILE}",
    "javascript:alert(1)",
    # Two slashes and backslashes.
    f"//evil.test{FILE}",
    f"//studio.test:8080{FILE}",
    f"///evil.test{FILE}",
    f"http:///evil.test{FILE}",
    f"http://studio.test:8080/{FILE}",
    f"/\\evil.test{FILE}",
    f"\\\\evil.test{FILE}",
    f"http:\\\\evil.test{FILE}",
    f"http://studio.test:8080\\@evil.test{FILE}",
    "/data/upload/3\\..\\..\\x.jpg",
    "/data/upload/3/%5c..%5cx.jpg",
    # Folders above, encoded once or twice.
    "/data/upload/../../api/users",
    "/data/upload/3/../../../api/users",
    "/data/upload/./x.jpg",
    "/data/upload/%2e%2e/%2e%2e/api/users",
    "/data/upload/.%2e/x.jpg",
    "/data/upload/..%2f..%2fapi/users",
    "/data/upload/3%2fx.jpg",
    "/data/upload/%252e%252e/x.jpg",
    "/data/upload/3/%252fx.jpg",
    "/data/upload/3/%c0%ae%c0%ae/x.jpg",
    "/data/upload//x.jpg",
    "/data/upload/",
    "/data/upload",
    f"{LOCAL}../../etc/passwd",
    f"{LOCAL}a/..%2f..%2fetc/passwd",
    f"{LOCAL}%2e%2e/x.jpg",
    f"{LOCAL}/etc/passwd",
    f"{LOCAL}%2Fetc%2Fpasswd",
    f"{LOCAL}a//b.jpg",
    f"{LOCAL}a%5cb.jpg",
    f"{LOCAL}a%00.jpg",
    f"{LOCAL}a%252fb.jpg",
    LOCAL,
    f"{LOCAL}a.jpg&d=b.jpg",
    f"{LOCAL}a.jpg;d=b.jpg",
    "/data/local-files/?x=1&d=a.jpg",
    "/data/local-files/../../api/users?d=a",
    "/data/local-files/x?d=a.jpg",
    # Other routes of the server.
    "/",
    "/api/users",
    "/api/current-user/token",
    "/api/projects/1/export?exportType=JSON",
    "/data/avatars/x.jpg",
    "/storage-data/uploaded/?filepath=upload/3/x.jpg",
    "/tasks/1/resolve/?fileuri=czM6Ly9iL3guanBn",
    "/data/upload/3/x.jpg?next=http://evil.test",
    "/data/upload/3/x.jpg#fragment",
    "/DATA/UPLOAD/3/x.jpg",
    # Control characters and blanks.
    f" {FILE}",
    f"\t{FILE}",
    f"{FILE}\r\nHost: evil.test",
    f"{FILE}\x00",
    "/data/upload/3/%0d%0aHost:%20evil.test",
    "/data/upload/3/%00.jpg",
    f"h\nttp://studio.test:8080{FILE}",
    "x.jpg",
    "",
    f"/data/upload/3/{'a' * 3000}.jpg",
]


@pytest.mark.parametrize("address", REFUSED)
def test_everything_else_is_refused(address: str) -> None:
    """Other hosts, schemes, users, routes, folders above, and any other spelling of these."""
    with pytest.raises(InvalidRequestError, match="Nothing is fetched from other addresses"):
        path_of(address, ORIGIN)


@pytest.mark.parametrize(
    "address",
    [
        f"/tools/label-studio/tools/label-studio{FILE}",
        f"/tools/label-studio-2{FILE}",
        f"https://studio.test/tools/label-studio/../admin{FILE}",
        f"https://studio.test/tools{FILE}",
    ],
)
def test_nothing_beside_the_prefix_is_asked(address: str) -> None:
    """Other programs on the same host are other servers."""
    with pytest.raises(InvalidRequestError):
        path_of(address, NESTED)
