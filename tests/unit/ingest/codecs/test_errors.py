from __future__ import annotations

from headwater.ingest import codecs
from headwater.ingest.codecs.errors import BadConfig


def test_the_face_hands_out_the_one_error() -> None:
    assert codecs.BadConfig is BadConfig
    assert issubclass(BadConfig, ValueError)
