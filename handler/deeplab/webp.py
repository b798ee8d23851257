"""Canvas size in a WebP header: Pillow allocates the canvas twice before it reports the size."""

_KIND = slice(12, 16)
_LOSSY = b"VP8 "
_LOSSLESS = b"VP8L"
_EXTENDED = b"VP8X"


def canvas_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels; None if the bytes are not a WebP or end within its header."""
    if not (data.startswith(b"RIFF") and data[8:12] == b"WEBP" and len(data) >= 30):
        return None
    if data[_KIND] == _EXTENDED:
        return _uint(data[24:27]) + 1, _uint(data[27:30]) + 1
    if data[_KIND] == _LOSSLESS:  # 14 bits per side
        sides = _uint(data[21:25])
        return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    if data[_KIND] == _LOSSY:
        return _uint(data[26:28]) & 0x3FFF, _uint(data[28:30]) & 0x3FFF
    return None


def _uint(data: bytes) -> int:
    return int.from_bytes(data, "little")
