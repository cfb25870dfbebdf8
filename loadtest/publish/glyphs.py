"""A 5 x 7 pixel font: digits and the letters that the test picture shows. Sans-IO."""

from __future__ import annotations

WIDTH, HEIGHT = 5, 7
CELL = WIDTH + 1
"""Columns from one character to the next."""

# Seven rows of five bits per character, top row first, leftmost pixel in the highest bit.
_FONT = {
    "0": "0E 11 13 15 19 11 0E",
    "1": "04 0C 04 04 04 04 0E",
    "2": "0E 11 01 02 04 08 1F",
    "3": "1F 02 04 02 01 11 0E",
    "4": "02 06 0A 12 1F 02 02",
    "5": "1F 10 1E 01 01 11 0E",
    "6": "06 08 10 1E 11 11 0E",
    "7": "1F 01 02 04 08 08 08",
    "8": "0E 11 11 0E 11 11 0E",
    "9": "0E 11 11 0F 01 02 0C",
    ":": "00 04 04 00 04 04 00",
    ".": "00 00 00 00 00 06 06",
    "-": "00 00 00 0E 00 00 00",
    " ": "00 00 00 00 00 00 00",
    "A": "0E 11 11 1F 11 11 11",
    "B": "1E 11 11 1E 11 11 1E",
    "C": "0E 11 10 10 10 11 0E",
    "D": "1E 11 11 11 11 11 1E",
    "E": "1F 10 10 1E 10 10 1F",
    "F": "1F 10 10 1E 10 10 10",
    "G": "0E 11 10 17 11 11 0F",
    "H": "11 11 11 1F 11 11 11",
    "I": "0E 04 04 04 04 04 0E",
    "J": "01 01 01 01 11 11 0E",
    "K": "11 12 14 18 14 12 11",
    "L": "10 10 10 10 10 10 1F",
    "M": "11 1B 15 15 11 11 11",
    "N": "11 19 15 13 11 11 11",
    "O": "0E 11 11 11 11 11 0E",
    "P": "1E 11 11 1E 10 10 10",
    "Q": "0E 11 11 11 15 12 0D",
    "R": "1E 11 11 1E 14 12 11",
    "S": "0F 10 10 0E 01 01 1E",
    "T": "1F 04 04 04 04 04 04",
    "U": "11 11 11 11 11 11 0E",
    "V": "11 11 11 11 11 0A 04",
    "W": "11 11 11 15 15 1B 11",
    "X": "11 11 0A 04 0A 11 11",
    "Y": "11 11 0A 04 04 04 04",
    "Z": "1F 01 02 04 08 10 1F",
}


class Font:
    """The font at one size, as rows of luma ready to be joined and copied."""

    def __init__(self, scale: int, ink: int, paper: int) -> None:
        """`scale`: pixels per font pixel, >= 1; `ink`, `paper`: luma values."""
        self.scale = scale
        self.height = HEIGHT * scale
        on, off = bytes((ink,)) * scale, bytes((paper,)) * scale
        self._rows = {
            char: tuple(_row(int(bits, 16), on, off) for bits in rows.split()) for char, rows in _FONT.items()
        }

    def width(self, characters: int) -> int:
        """Pixels that a text takes, the gap after its last character included."""
        return characters * CELL * self.scale

    def lines(self, text: str) -> list[bytes]:
        """The seven font rows of `text`; each is shown `scale` times. Unknown characters are spaces."""
        space = self._rows[" "]
        glyphs = [self._rows.get(char, space) for char in text]
        return [b"".join([glyph[row] for glyph in glyphs]) for row in range(HEIGHT)]


def _row(bits: int, on: bytes, off: bytes) -> bytes:
    return b"".join(on if bits >> (WIDTH - 1 - column) & 1 else off for column in range(WIDTH)) + off
