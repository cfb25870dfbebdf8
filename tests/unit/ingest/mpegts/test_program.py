from __future__ import annotations

from tests.codec_vectors import AV1_KEY_FRAME
from tests.ts_kit import AUDIO_PID, CUE_PID, PMT_PID, VIDEO_PID, Descriptor, adts, language, pmt

from headwater.ingest.media import TrackId
from headwater.ingest.mpegts.assembly import Channel, PesChannel, SectionChannel
from headwater.ingest.mpegts.limits import Limits
from headwater.ingest.mpegts.output import Output
from headwater.ingest.mpegts.program import RESERVED, ClockChannel, CueChannel, Program
from headwater.ingest.mpegts.sections import read_pmt
from headwater.ingest.tracks import TrackConfigured, TrackFinished, TrackRefused

from .test_adts import RAW

H264, ADTS, PRIVATE, CUE = 0x1B, 0x0F, 0x06, 0x86


class Case:
    """A program, its channels and what it says."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.out = Output()
        self.channels: dict[int, Channel] = {PMT_PID: SectionChannel(self.out.counters)}
        self.program = Program(self.out, limits or Limits(), self.channels)

    def table(self, *streams: tuple[int, int, list[Descriptor]], pcr_pid: int = VIDEO_PID) -> None:
        table = read_pmt(pmt(streams, pcr_pid=pcr_pid))
        assert table is not None
        self.program.update(table, RESERVED | {PMT_PID})

    def sound(self, pid: int) -> list[str]:
        """A frame of sound on a PID; what is said, in short."""
        channel = self.channels[pid]
        assert isinstance(channel, PesChannel)
        channel.reader.pes(adts(RAW), 0, 0, 1.0, True)
        return self.said()

    def said(self) -> list[str]:
        events, self.out.events = self.out.events, []
        out = []
        for event in events:
            match event:
                case TrackConfigured(track):
                    out.append(f"{track.id} {track.language}")
                case TrackFinished(track):
                    out.append(f"-{track}")
                case TrackRefused():
                    out.append(f"{event.track} {event.codec}: {event.reason}")
        return out


def test_ids_follow_the_table_and_stay_with_their_pid() -> None:
    case = Case()
    case.table((ADTS, 0x201, []), (H264, 0x100, []), (ADTS, 0x200, [language(b"eng")]))
    assert case.sound(0x200) == ["a1 en"]
    assert case.sound(0x201) == ["a0 und"]
    case.table((ADTS, 0x200, [language(b"eng")]), (ADTS, 0x201, []), (H264, 0x100, []))
    assert case.said() == []
    assert case.sound(0x200) == []


def test_ids_that_got_free_are_given_again() -> None:
    case = Case()
    case.table((ADTS, 0x200, []), (ADTS, 0x201, []))
    case.sound(0x200)
    case.table((ADTS, 0x300, []), (ADTS, 0x201, []))
    assert case.said() == ["-a0"]
    assert case.sound(0x300) == ["a0 und"]
    assert case.sound(0x201) == ["a1 und"]
    assert set(case.channels) == {PMT_PID, VIDEO_PID, 0x300, 0x201}


def test_another_language_or_kind_on_a_pid() -> None:
    case = Case()
    case.table((ADTS, 0x200, [language(b"eng")]))
    case.sound(0x200)
    case.table((ADTS, 0x200, [language(b"ger")]))
    assert case.sound(0x200) == ["a0 de"]
    case.table((H264, 0x200, []))
    assert case.said() == ["-a0"]
    case.table((CUE, 0x200, []))
    assert isinstance(case.channels[0x200], CueChannel)


def test_bounds() -> None:
    case = Case(Limits(streams=6, tracks_per_kind=2))
    case.table(*((ADTS, 0x200 + number, []) for number in range(8)))
    assert case.said() == [
        "pid-518 adts: there are already 6 streams",
        "pid-519 adts: there are already 6 streams",
        *(f"pid-{0x200 + number} adts: there are already 2 audio tracks" for number in range(2, 6)),
    ]
    assert case.out.counters.refused == 6
    assert {pid for pid, channel in case.channels.items() if isinstance(channel, PesChannel)} == {0x200, 0x201}


def test_what_is_refused_and_what_is_ignored() -> None:
    case = Case()
    subtitles: list[Descriptor] = [(0x59, b"")]
    case.table((0x02, 0x100, []), (PRIVATE, 0x101, subtitles), (ADTS, PMT_PID, []), (ADTS, 0, []), (0x15, 0x102, []))
    assert case.said() == ["pid-256 mpeg2video: this codec is not supported"]
    assert not any(isinstance(channel, PesChannel) for channel in case.channels.values())
    assert isinstance(case.channels[PMT_PID], SectionChannel)


def test_a_pid_named_twice_is_one_stream() -> None:
    case = Case()
    case.table((ADTS, 0x200, []), (H264, 0x200, []))
    assert case.sound(0x200) == ["a0 und"]


def test_the_clock_may_have_its_own_pid() -> None:
    case = Case()
    case.table((H264, VIDEO_PID, []), pcr_pid=0x1FF)
    assert isinstance(case.channels[0x1FF], ClockChannel)
    case.table((H264, VIDEO_PID, []), pcr_pid=VIDEO_PID)
    assert 0x1FF not in case.channels
    case.table((H264, VIDEO_PID, []), pcr_pid=0x1FFF)
    assert set(case.channels) == {PMT_PID, VIDEO_PID}
    case.table((H264, VIDEO_PID, []), pcr_pid=0x1FE)
    case.program.close()
    assert set(case.channels) == {PMT_PID}


def test_private_data_that_turns_out_to_be_av1() -> None:
    case = Case()
    case.table((PRIVATE, VIDEO_PID, []), (PRIVATE, AUDIO_PID, []), (CUE, CUE_PID, []))
    channel = case.channels[VIDEO_PID]
    assert isinstance(channel, PesChannel)
    channel.reader.pes(b"\x20\x00\x0f", 0, 0, 1.0, True)
    channel.reader.pes(AV1_KEY_FRAME, 0, 0, 1.0, False)
    channel.reader.lost()
    channel.reader.end()
    assert case.said() == []
    channel.reader.pes(AV1_KEY_FRAME, 0, 0, 1.0, True)
    assert case.said() == ["v0 und"]
    case.table((PRIVATE, VIDEO_PID, []))
    assert case.said() == []
    case.table((PRIVATE, AUDIO_PID, []))
    assert case.said() == ["-v0"]


def test_there_may_be_no_room_for_it() -> None:
    case = Case(Limits(tracks_per_kind=1))
    case.table((H264, VIDEO_PID, []), (PRIVATE, AUDIO_PID, []))
    channel = case.channels[AUDIO_PID]
    assert isinstance(channel, PesChannel)
    channel.reader.pes(AV1_KEY_FRAME, 0, 0, 1.0, True)
    assert case.said() == ["pid-257 private: there are already 1 video tracks"]


def test_encrypted_payload_is_said_by_name() -> None:
    case = Case()
    case.table((H264, VIDEO_PID, []))
    case.channels[VIDEO_PID].refuse()
    case.channels[VIDEO_PID].refuse()
    assert case.said() == ["pid-256 h264: its payload is encrypted (scrambled)"]
    assert TrackId("pid-256") == "pid-256"
