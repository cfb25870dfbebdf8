from __future__ import annotations

import pytest
from tests.codec_vectors import VP9_INTER_FRAME, VP9_KEY_FRAME, VP9_KEY_FRAME_PROFILE2, VPCC, VPCC_PROFILE2

from headwater.ingest.codecs import BadConfig
from headwater.ingest.codecs.vp9 import is_key_frame, read_config, with_size


def test_real_configurations_have_no_size_until_a_key_frame() -> None:
    header = read_config(VPCC)
    assert (header.codec_string, header.width, header.height) == ("vp09.00.10.08", 0, 0)
    sized = with_size(VPCC, VP9_KEY_FRAME)
    assert sized is not None
    assert (sized.width, sized.height, sized.config) == (64, 64, VPCC)
    sized = with_size(VPCC_PROFILE2, VP9_KEY_FRAME_PROFILE2)
    assert sized is not None
    assert (sized.width, sized.height, sized.codec_string) == (64, 64, "vp09.02.10.10")


def test_a_record_without_version_and_flags_gets_them() -> None:
    assert read_config(VPCC[4:]).config == VPCC


def test_colour_is_only_named_when_it_is_not_the_default() -> None:
    assert read_config(b"\x02\x1f\xa2\x09\x10\x09\x00\x00").codec_string == "vp09.02.31.10.01.09.16.09.00"


def test_an_unset_level_follows_from_the_size() -> None:
    sized = with_size(VPCC[:5] + b"\x00" + VPCC[6:], VP9_KEY_FRAME)
    assert sized is not None
    assert sized.codec_string == "vp09.00.10.08"
    assert sized.config == VPCC


@pytest.mark.parametrize("payload", [b"", VP9_INTER_FRAME, VP9_KEY_FRAME[:5], b"\x82\x00\x00\x00" + bytes(16)])
def test_no_size_from_anything_but_a_key_frame(payload: bytes) -> None:
    assert with_size(VPCC, payload) is None


@pytest.mark.parametrize("config", [b"", VPCC[:7], b"\x04\x10\x82" + bytes(5), b"\x00\x10\x72" + bytes(5)])
def test_what_is_no_vpcc_is_refused(config: bytes) -> None:
    with pytest.raises(BadConfig):
        read_config(config)


def test_key_frames() -> None:
    assert is_key_frame(VP9_KEY_FRAME)
    assert is_key_frame(VP9_KEY_FRAME_PROFILE2)
    assert is_key_frame(b"\xb1")  # profile 3: one reserved bit more
    assert not is_key_frame(b"\xb4")
    assert not is_key_frame(VP9_INTER_FRAME)
    assert not is_key_frame(b"\x88")  # show_existing_frame
    assert not is_key_frame(b"\x42")
    assert not is_key_frame(b"")
