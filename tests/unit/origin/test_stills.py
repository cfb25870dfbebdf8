"""Pictures of a stream."""

from __future__ import annotations

from headwater.origin.stills import MOST_BYTES, Stills


def test_the_last_picture_of_each_type_is_kept() -> None:
    stills = Stills()
    assert stills.find("thumb.jpg") is None
    stills.put("image/jpeg", b"one", 1_000.5)
    stills.put("image/webp", b"two", 1_001.0)
    stills.put("image/jpeg", b"three", 1_005.0)
    picture, other = stills.find("thumb.jpg"), stills.find("thumb.webp")
    assert picture is not None
    assert other is not None
    assert (picture.data, picture.content_type, picture.modified, picture.dated) == (
        b"three",
        "image/jpeg",
        1_005,
        True,
    )
    assert (other.data, other.content_type) == (b"two", "image/webp")
    assert picture.etag != other.etag


def test_what_is_no_picture_is_left_out() -> None:
    stills = Stills()
    stills.put("text/html", b"<script>", 0.0)
    stills.put("image/jpeg", b"", 0.0)
    stills.put("image/jpeg", bytes(MOST_BYTES + 1), 0.0)
    assert stills.find("thumb.jpg") is None
    assert stills.find("thumb.html") is None
