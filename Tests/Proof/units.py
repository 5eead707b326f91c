"""The written unit of the workload: bytes that say who wrote them, as which of its operations, and what it knew by then.

  "ASU1", writer u16, writers u16, sequence u64, payload length u32, newest known sequence of each writer u64 …, CRC-32 u32, payload

All little-endian; the checksum covers header and payload. A unit is rebuilt from (writer, sequence, known, length) alone, so
the log of a workload needs no bytes. Payloads never hold the magic, so units are found wherever they are.
"""
import random
import struct
import zlib

MAGIC = b"ASU1"
_FIXED = struct.Struct("<4sHHQI")
_POOL_SIZE = 1 << 20


def _pool():
    chance = random.Random("payload")
    words = [chance.randbytes(chance.randint(3, 12)) for _ in range(600)]
    text = b"".join(chance.choice(words) if chance.random() < 0.7 else chance.randbytes(6) for _ in range(_POOL_SIZE // 6))
    return text[:_POOL_SIZE].ljust(_POOL_SIZE, b"-").replace(MAGIC, b"asu1").replace(b"ASU", b"asu")


_payload = _pool() * 2


def raw(writer, sequence, length):
    """Bytes that are no unit, the same for the same arguments. At most 1 MiB."""
    at = (writer * 7919 + sequence * 104_729) % (_POOL_SIZE - 1)
    return _payload[at:at + length]


def header_size(writers):
    """The smallest size of a unit."""
    return _FIXED.size + 8 * writers + 4


def build(writer, sequence, known, size):
    """A unit of `size` bytes in all."""
    head = _FIXED.pack(MAGIC, writer, len(known), sequence, size - header_size(len(known))) + struct.pack(f"<{len(known)}Q", *known)
    payload = raw(writer, sequence, size - len(head) - 4)
    return b"".join((head, zlib.crc32(payload, zlib.crc32(head)).to_bytes(4, "little"), payload))


class Unit:
    """A unit that was found whole."""

    __slots__ = ("writer", "sequence", "known", "offset", "end")

    def __init__(self, writer, sequence, known, offset, end):
        self.writer, self.sequence, self.known, self.offset, self.end = writer, sequence, known, offset, end


def find(data):
    """All units in a file's bytes: (whole units, offsets at which a unit begins but is not whole)."""
    whole, torn, at = [], [], 0
    view = memoryview(data)
    while (at := data.find(MAGIC, at)) >= 0:
        unit = _parse(view, at)
        if unit:
            whole.append(unit)
            at = unit.end
        else:
            torn.append(at)
            at += len(MAGIC)
    return whole, torn


def _parse(view, at):
    if len(view) - at < _FIXED.size:
        return None
    _, writer, writers, sequence, length = _FIXED.unpack_from(view, at)
    body = at + _FIXED.size + 8 * writers
    end = body + 4 + length
    if end > len(view):
        return None
    checksum = zlib.crc32(view[body + 4:end], zlib.crc32(view[at:body]))
    if checksum != int.from_bytes(view[body:body + 4], "little"):
        return None
    return Unit(writer, sequence, struct.unpack_from(f"<{writers}Q", view, at + _FIXED.size), at, end)


def whole_prefix(data):
    """How many bytes from the begin are units without a hole: where a torn tail begins."""
    view, at = memoryview(data), 0
    while view[at:at + 4] == MAGIC and (unit := _parse(view, at)):
        at = unit.end
    return at
