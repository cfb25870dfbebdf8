"""Audio and video messages, random and damaged: events or `BadTag`, and a reader that stays bounded and usable."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests import codec_vectors as vectors

from headwater.ingest.codecs import audio_samples, is_random_access, normalise
from headwater.ingest.media import Kind, Packet, Track, TrackId
from headwater.ingest.rtmp.enhanced import BadTag
from headwater.ingest.rtmp.flv import MAX_REFUSALS, TagReader
from headwater.ingest.tracks import TrackConfigured, TrackFinished, TrackRefused

IDR = b"\0\0\0\2\x65\x88"
VIDEO = [
    b"\x17\0\0\0\0" + vectors.AVCC_HIGH,
    b"\x17\0\0\0\0" + vectors.AVCC_BASELINE,
    b"\x17\1\0\0\x50" + IDR,
    b"\x27\1\xff\xff\xd8\0\0\0\0\0\0\0\2\x41\x9a",
    b"\x17\2\0\0\0",
    b"\x1c\0\0\0\0" + vectors.HVCC_MAIN,
    b"\x90av01" + vectors.AV1C_HLG,
    b"\x91av01" + vectors.AV1_KEY_FRAME,
    b"\x90vp09" + vectors.VPCC,
    b"\x91vp09" + vectors.VP9_KEY_FRAME,
    b"\x97\2\x0f\x42\x3f\1hvc1\0\0\2DATA",
    b"\x96\x00avc1\x01" + vectors.AVCC_HIGH,
    b"\x96\x11avc1\0\0\0\x05\0\0\x28AA\1\0\0\4\0\0\0B",
    b"\x96\x21avc1\0\0\0\4\0\0\x28Aav01\1\0\0\1B",
    b"\xd4av01\2\0\x09colorInfo",
    b"\x57\0",
]
AUDIO = [
    b"\xaf\0" + vectors.ASC_LC,
    b"\xaf\0",
    b"\xaf\1DATA",
    b"\x2f\xff\xfb",
    b"\x90Opus" + vectors.OPUS_HEAD,
    b"\x91Opus" + vectors.OPUS_20MS,
    b"\x91ac-3" + vectors.AC3_FRAME,
    b"\x91ec-3" + vectors.EAC3_FRAME,
    b"\x90fLaC" + vectors.STREAMINFO,
    b"\x94mp4a\1\6\0\0\6\x0f",
    b"\x95\0mp4a\1" + vectors.ASC_LC_51,
    b"\x95\x11Opus\0\0\0\1A\1\0\0\1B",
    b"\x97\2\0\3\xe8\5\1Opus\1DATA",
]


@st.composite
def messages(draw: st.DrawFn) -> tuple[Kind, bytes]:
    kind = draw(st.sampled_from([Kind.VIDEO, Kind.AUDIO]))
    if draw(st.integers(0, 6)) == 0:
        return kind, draw(st.binary(max_size=40))
    data = bytearray(draw(st.sampled_from(VIDEO if kind is Kind.VIDEO else AUDIO)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        if draw(st.booleans()):
            data[at : at + 1] = draw(st.binary(max_size=3))
        else:
            del data[at:]
    return kind, bytes(data)


class Follower:
    """Checks the promises of `flv` on every event."""

    def __init__(self) -> None:
        self.tracks: dict[TrackId, Track] = {}
        self.refused: set[TrackRefused] = set()

    def take(self, event: object) -> None:
        match event:
            case TrackConfigured(track):
                self.tracks[track.id] = track
            case TrackRefused():
                assert event not in self.refused
                self.refused.add(event)
            case TrackFinished(track_id):
                assert track_id in self.tracks
            case Packet():
                track = self.tracks[event.track]
                assert event.payload
                assert normalise(track, event.payload) is event.payload
                assert is_random_access(track, event.payload) in (True, False)
                assert audio_samples(track, event.payload) >= 0
            case _:
                raise AssertionError(event)


@given(st.lists(messages(), max_size=30))
def test_any_sequence_of_messages(sequence: list[tuple[Kind, bytes]]) -> None:
    reader = TagReader(tracks_per_kind=3)
    follower = Follower()
    for kind, payload in sequence:
        take = reader.video if kind is Kind.VIDEO else reader.audio
        try:
            events = take(payload, 0, 0.0)
        except BadTag:
            continue
        for event in events:
            follower.take(event)
    assert len(follower.refused) <= MAX_REFUSALS
    for letter in ("v", "a"):
        assert sum(track_id.startswith(letter) for track_id in follower.tracks) <= 3


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
MAPS = st.dictionaries(st.sampled_from(["0", "1", "255", "256", "-1", "²", "x"]), ANYTHING, max_size=4)


@given(st.dictionaries(st.sampled_from(["videoTrackIdInfoMap", "audioTrackIdInfoMap", "width"]), MAPS | ANYTHING))
def test_any_metadata(values: dict[str, object]) -> None:
    reader = TagReader()
    reader.metadata(values)
    (event,) = reader.audio(b"\xaf\0" + vectors.ASC_LC, 0, 0.0)
    assert isinstance(event, TrackConfigured)
