"""The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). Sans-IO.

The code is canonical: it follows from the lengths of its code words. Decoding goes a byte at a time through steps that
are made when they are first needed.
"""

from __future__ import annotations

_LENGTHS: tuple[tuple[int, bytes], ...] = (
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b'!"()?'),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\x00$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, b"\\\xc3\xd0"),
    (20, bytes((128, 130, 131, 162, 184, 194, 224, 226))),
    (21, bytes((153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230))),
    (
        22,
        bytes((129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189))
        + bytes((190, 196, 198, 228, 232, 233)),
    ),
    (
        23,
        bytes((1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174))
        + bytes((175, 180, 182, 183, 188, 191, 197, 231, 239)),
    ),
    (24, bytes((9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237))),
    (25, bytes((199, 207, 234, 235))),
    (26, bytes((192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255))),
    (27, bytes((203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254))),
    (
        28,
        bytes((2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31))
        + bytes((127, 220, 249)),
    ),
    (30, bytes((10, 13, 22))),
)
"""Bits -> the bytes whose code words have so many, in their order. The end of string, 30 ones, is the last word."""


class HuffmanError(ValueError):
    """No valid Huffman string."""


def _words() -> list[tuple[int, int]]:
    """Byte -> (code word, bits)."""
    words = [(0, 0)] * 256
    code = bits = 0
    for length, symbols in _LENGTHS:
        for symbol in symbols:
            code <<= length - bits
            bits = length
            words[symbol] = (code, length)
            code += 1
    return words


_WORDS = _words()
_TREE: list[list[int]] = [[0, 0]]
"""Inner nodes: what bit 0 and bit 1 lead to. Above 0: a node; below 0: the byte -value - 1; 0: the end of string."""
_STEPS: dict[int, tuple[bytes, int] | None] = {}
"""Node * 256 + byte -> bytes that end in it, and the node after it; None: the end of string. At most 65,536."""


def _grow() -> frozenset[int]:
    """Fill `_TREE`; the nodes at which a string may end: up to 7 ones behind a whole byte (section 5.2)."""
    for symbol, (code, bits) in enumerate(_WORDS):
        node = 0
        for shift in range(bits - 1, 0, -1):
            bit = code >> shift & 1
            if not _TREE[node][bit]:
                _TREE.append([0, 0])
                _TREE[node][bit] = len(_TREE) - 1
            node = _TREE[node][bit]
        _TREE[node][code & 1] = -symbol - 1
    ends, node = [0], 0
    for _ in range(7):
        node = _TREE[node][1]
        ends.append(node)
    return frozenset(ends)


_ENDS = _grow()


def _step(key: int) -> tuple[bytes, int] | None:
    node, byte = key >> 8, key & 255
    out = bytearray()
    for shift in range(7, -1, -1):
        follow = _TREE[node][byte >> shift & 1]
        if follow == 0:
            _STEPS[key] = None
            return None
        if follow < 0:
            out.append(-follow - 1)
            follow = 0
        node = follow
    _STEPS[key] = found = (bytes(out), node)
    return found


def decode(data: bytes) -> bytes:
    """The string. Raises HuffmanError for padding that is too long or not of ones, and for an end of string inside."""
    node = 0
    out = []
    for byte in data:
        key = node << 8 | byte
        step = _STEPS.get(key) or _step(key)
        if step is None:
            raise HuffmanError("the end of string is inside")
        out.append(step[0])
        node = step[1]
    if node not in _ENDS:
        raise HuffmanError("not padded as it has to be")
    return b"".join(out)


def encode(data: bytes) -> bytes:
    """Its Huffman form, padded."""
    value = bits = 0
    for byte in data:
        code, length = _WORDS[byte]
        value = value << length | code
        bits += length
    padding = -bits % 8
    return (value << padding | (1 << padding) - 1).to_bytes((bits + padding) // 8, "big")
