"""The font."""

from headwater.loadtest.publish.glyphs import CELL, HEIGHT, Font


def test_a_one_at_scale_one() -> None:
    font = Font(1, ord("#"), ord("."))
    assert [line.decode() for line in font.lines("1")] == [
        "..#...",
        ".##...",
        "..#...",
        "..#...",
        "..#...",
        "..#...",
        ".###..",
    ]


def test_scale_and_width() -> None:
    font = Font(3, 1, 0)
    lines = font.lines("12:00")
    assert font.height == HEIGHT * 3
    assert {len(line) for line in lines} == {font.width(5)} == {5 * CELL * 3}


def test_digits_differ() -> None:
    font = Font(1, 1, 0)
    assert len({b"".join(font.lines(digit)) for digit in "0123456789:."}) == 12


def test_unknown_characters_are_spaces() -> None:
    font = Font(1, 1, 0)
    assert font.lines("é") == font.lines(" ")
