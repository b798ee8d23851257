"""Tests of the gateway's heap: what large images took goes back to the system."""

import asyncio

import psutil
import pytest

from gateway.operations import memory

pytestmark = pytest.mark.anyio

_BLOCK = b"x" * 64 * 1024  # too small for glibc to map by itself
_BLOCKS, _MB = 1000, 1_000_000


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)


def _freed_below_a_block() -> bytearray:
    """Free many blocks, and return one that is above them."""
    blocks = [bytearray(_BLOCK) for _ in range(_BLOCKS)]
    return blocks.pop()


async def test_freed_memory_goes_back_to_the_system() -> None:
    """Also below a block that is in use, where it would stay in the heap."""
    last = _freed_below_a_block()
    before = _resident()
    async with memory.trimmed(0.01), asyncio.timeout(10):
        while _resident() > before - 50 * _MB:
            await asyncio.sleep(0.01)
    assert last == _BLOCK


async def test_it_stays_without_trimming() -> None:
    """What the others are compared with."""
    before = _resident()
    last = _freed_below_a_block()
    assert _resident() > before + 50 * _MB
    memory.trim()
    assert _resident() < before + 10 * _MB
    assert last == _BLOCK
