"""Conversations of a whole player with a live stream, on a stepped clock."""

from __future__ import annotations

import pytest
from tests.viewers_kit import UNIX, Stream, Theatre

from headwater.loadtest.players.lane import Kind
from headwater.loadtest.players.playhead import State
from headwater.loadtest.records import Abr, Mode, ViewerClass

LIVE = "http://h/live/index.m3u8"


def seconds(values: list[int]) -> list[float]:
    return [round(value / 1e6, 3) for value in values]


def test_it_joins_at_the_part_hold_back() -> None:
    theatre = Theatre()  # at 100.25: parts 0 to 99 are listed, the edge is 100
    player = theatre.join()
    theatre.run(100.5)
    # Segment 24 is of the parts 96 to 99: the last independent part before 100 - 3
    assert theatre.targets(Kind.MULTIVARIANT) == ["/live/720p/index.m3u8"]
    assert theatre.targets(Kind.INIT) == ["/live/720p/init.mp4"]
    assert theatre.targets(Kind.PART) == [f"/live/720p/p{n}.m4s" for n in (96, 97, 98, 99)]
    assert theatre.targets(Kind.PLAYLIST) == ["/live/720p/index.m3u8?_HLS_msn=25&_HLS_part=0"]
    assert player.head.state is State.PLAYING
    # Six answers of 10 ms each came one after the other, then it began at 97
    assert seconds(theatre.ledger.startup_us) == [0.06]
    assert player.head.head == pytest.approx(UNIX + 97.0)
    assert not theatre.ledger.part_us, "what was listed at the join says nothing about the delay of parts"
    assert seconds(theatre.ledger.response_us) == [0.01] * 6


def test_part_by_part() -> None:
    theatre = Theatre()
    player = theatre.join()
    theatre.run(105.5)
    ledger = theatre.ledger
    assert theatre.targets(Kind.PART, since=100.9) == [f"/live/720p/p{n}.m4s" for n in (100, 101, 102, 103, 104)]
    asked = theatre.targets(Kind.PLAYLIST, since=104)
    assert asked == [f"/live/720p/index.m3u8?_HLS_msn=26&_HLS_part={part}" for part in (0, 1)]
    assert seconds(ledger.playlist_us) == [0.01] * 5
    assert seconds(ledger.part_us) == [0.02] * 5
    assert ledger.stalls == ledger.behind == ledger.late == ledger.retries == 0
    assert seconds(ledger.latency_us) == [3.31] * 5
    assert player.head.level == pytest.approx(105 - (97 + 105.25 - 100.31))
    assert ledger.watched == pytest.approx(105.25 - 100.31)


def test_identical_bodies_are_parsed_once() -> None:
    theatre = Theatre()
    for _ in range(20):
        theatre.join()
    theatre.run(110.5)
    assert theatre.ledger.started == 20
    assert theatre.library.parsed == 11


def test_safari_asks_for_the_hint_and_the_playlist_at_once() -> None:
    theatre = Theatre()
    theatre.join(ViewerClass(mode=Mode.SAFARI))
    theatre.run(103.5)
    asked = [(round(asked.at, 2), asked.target.removeprefix("/live/720p/")) for asked in theatre.asked]
    assert asked[-6:] == [
        (101.01, "index.m3u8?_HLS_msn=25&_HLS_part=1"),
        (101.01, "p101.m4s"),
        (102.01, "index.m3u8?_HLS_msn=25&_HLS_part=2"),
        (102.01, "p102.m4s"),
        (103.01, "index.m3u8?_HLS_msn=25&_HLS_part=3"),
        (103.01, "p103.m4s"),
    ]
    assert seconds(theatre.ledger.part_us) == [0.01] * 3, "a round trip less than hlsjs"
    assert theatre.ledger.parts == 4 + 3


def test_a_hint_that_died_is_let_go() -> None:
    theatre = Theatre(Stream(gaps=frozenset({102})))
    theatre.fault = lambda target, at: "timeout" if target.endswith("p102.m4s") else None
    theatre.join(ViewerClass(mode=Mode.SAFARI))
    theatre.run(106.5)
    assert theatre.abandoned == ["/live/720p/p102.m4s"]
    assert theatre.ledger.gaps == 1
    assert theatre.ledger.parts == 4 + 5
    assert not theatre.ledger.errors


def test_legacy_polls_and_loads_whole_segments_three_targets_behind() -> None:
    theatre = Theatre(Stream(part_s=1.0))
    player = theatre.join(ViewerClass(mode=Mode.LEGACY))
    theatre.run(113.5)
    # The last whole segment is 24 (96 to 100): 12 s before its end is 88
    assert theatre.targets(Kind.SEGMENT) == [f"/live/720p/s{n}.m4s" for n in (22, 23, 24, 25, 26, 27)]
    assert player.head.head == pytest.approx(UNIX + 88 + 113.25 - 100.31)
    polls = [round(asked.at, 2) for asked in theatre.asked if asked.kind is Kind.PLAYLIST]
    assert polls == [104.25, 108.25, 112.25], "a target duration after the load before"
    assert all("_HLS" not in asked.target for asked in theatre.asked)
    # Segment 25 was published at 104, and found by the poll at 104.25
    assert seconds(theatre.ledger.segment_us) == [0.27] * 3
    assert seconds(theatre.ledger.latency_us)[0] == pytest.approx(12.29, abs=0.02)


def test_a_server_that_does_not_block_is_polled() -> None:
    theatre = Theatre(Stream(blocks=False, frozen=(104.1, 111.0)))
    theatre.join()
    theatre.run(112.5)
    polls = [round(asked.at, 2) for asked in theatre.asked if asked.kind is Kind.PLAYLIST]
    assert polls == [104.25, 108.25, 110.25, 112.25], "half a target duration after an answer without news"


def test_late_parts_show_as_their_delay() -> None:
    theatre = Theatre(Stream(late_s=0.2))
    theatre.join()
    theatre.run(110.1)
    assert set(seconds(theatre.ledger.part_us)) == {0.22}
    assert set(seconds(theatre.ledger.playlist_us)) == {0.21}


def test_a_frozen_playlist_becomes_a_stall() -> None:
    theatre = Theatre(Stream(frozen=(102.5, 110.0)))
    player = theatre.join()
    theatre.run(109.0)
    assert player.head.state.value == "stalled"
    # The edge was 102, and the playhead is there at 100.31 + 5
    assert theatre.ledger.stalled == pytest.approx(109.0 - 0.75 - 105.31)
    theatre.run(113.5)
    ledger = theatre.ledger
    assert player.head.state is State.PLAYING
    assert ledger.stalls == 1
    assert ledger.stalled == pytest.approx(4.71, abs=0.05)
    assert seconds(ledger.stall_us) == [pytest.approx(4.71, abs=0.05)]
    assert ledger.late == 1
    assert ledger.fatal == 0
    assert ledger.latency_us[-1] == pytest.approx(ledger.latency_us[0] + ledger.stall_us[0], rel=0.01)
    assert ledger.errors == {"timeout playlist": 2}, "hls.js gives a blocking reload up after 0.8 target durations"


def test_gaps_are_leaped_over() -> None:
    theatre = Theatre(Stream(gaps=frozenset({103, 104})))
    player = theatre.join()
    theatre.run(115.5)
    assert theatre.ledger.gaps == 2
    assert not [target for target in theatre.targets(Kind.PART) if "p103." in target or "p104." in target]
    # 103 was reached at 106.31, when 105 was there (106.02): nothing stands still, two seconds are not seen
    assert theatre.ledger.stalls == 0
    assert player.head.head == pytest.approx(UNIX + 97 + (115.25 - 100.31) + 2)


def test_a_gap_at_the_edge_is_waited_out() -> None:
    theatre = Theatre(Stream(gaps=frozenset(range(103, 109))))
    player = theatre.join()
    theatre.run(115.5)
    assert theatre.ledger.stalls == 1
    assert seconds(theatre.ledger.stall_us) == [pytest.approx(110.02 - 106.31)]
    assert player.head.state is State.PLAYING


def test_errors_are_retried_with_growing_pauses() -> None:
    theatre = Theatre()
    theatre.fault = lambda target, at: 404 if "p102" in target and at < 105 else None
    player = theatre.join()
    theatre.run(110.5)
    tries = [round(asked.at, 2) for asked in theatre.asked if "p102" in asked.target]
    assert tries == [103.01, 104.02, 106.03]
    assert theatre.ledger.errors == {"status 404 part": 2}
    assert theatre.ledger.retries == 2
    assert theatre.ledger.fatal == 0
    assert theatre.ledger.stalls == 1
    assert player.head.state is State.PLAYING


def test_a_part_that_never_comes_is_fatal() -> None:
    theatre = Theatre()
    theatre.fault = lambda target, at: 404 if "p102" in target else None
    player = theatre.join()
    theatre.run(140.0)
    assert player.gone
    assert theatre.left == [player]
    assert theatre.ledger.fatal == 1
    assert theatre.ledger.retries == 6
    assert theatre.ledger.stalls == len(theatre.ledger.stall_us) == 1, "a stall that did not end is recorded, too"
    assert len([asked for asked in theatre.asked if asked.at > 135]) == 0


def test_playlists_are_fatal_sooner() -> None:
    theatre = Theatre()
    theatre.fault = lambda target, at: 503 if "index.m3u8" in target and at > 102 else None
    player = theatre.join()
    theatre.run(120.0)
    assert player.gone
    assert theatre.ledger.errors == {"status 503 playlist": 3}


def test_a_short_outage_is_survived() -> None:
    theatre = Theatre()
    theatre.fault = lambda target, at: "reset" if 102 < at < 103.5 and "index" in target else None
    player = theatre.join()
    theatre.run(110.0)
    assert not player.gone
    assert theatre.ledger.errors == {"reset playlist": 2}
    plain = [asked for asked in theatre.asked if asked.kind is Kind.PLAYLIST and "_HLS" not in asked.target]
    assert plain, "after an error the playlist is asked for without directives (hls.js)"


@pytest.mark.parametrize("fault", [404, "reset", "timeout"])
def test_a_first_playlist_that_does_not_come_is_fatal(fault: int | str) -> None:
    theatre = Theatre(fault=lambda target, at: fault)
    player = theatre.join(url=LIVE)
    theatre.run(140.0)
    assert player.gone
    assert theatre.ledger.joined == theatre.ledger.fatal == 1
    assert theatre.ledger.retries == (2 if fault == "timeout" else 1)


def test_audio_and_video_are_both_loaded() -> None:
    theatre = Theatre()
    player = theatre.join(url=LIVE)
    theatre.run(103.5)
    assert [track.role for track in player.tracks] == ["v", "a"]
    assert sorted(theatre.targets(Kind.PART, since=103.0)) == ["/live/720p/p102.m4s", "/live/audio/p102.m4s"]
    assert theatre.ledger.parts == 2 * (4 + 3)
    assert theatre.ledger.started == 1


def test_one_track_without_data_is_a_stall() -> None:
    theatre = Theatre()
    theatre.fault = lambda target, at: "timeout" if "audio/p102" in target and at < 110 else None
    player = theatre.join(url=LIVE)
    theatre.run(108.0)
    assert player.head.state.value == "stalled"
    theatre.run(118.0)
    assert player.head.state is State.PLAYING
    assert theatre.ledger.errors == {"timeout part": 1}


def test_without_audio_only_the_variant_is_loaded() -> None:
    theatre = Theatre()
    theatre.join(ViewerClass(audio=False, abr=Abr.FIXED, variant="360p"), url=LIVE)
    theatre.run(102.0)
    assert not [asked for asked in theatre.asked if "audio" in asked.target]
    assert [target for target in theatre.targets(Kind.PART) if "360p" not in target] == []


def test_an_unknown_variant_is_fatal() -> None:
    theatre = Theatre()
    player = theatre.join(ViewerClass(abr=Abr.FIXED, variant="4320p"), url=LIVE)
    theatre.run(110.0)
    assert player.gone
    assert "no variant for multivariant" in theatre.ledger.errors


def test_throughput_switches_at_a_segment_and_asks_for_the_reported_place() -> None:
    theatre = Theatre(part_bytes=2_000_000, transfer_s=0.3)
    theatre.join(ViewerClass(abr=Abr.THROUGHPUT), url=LIVE)
    theatre.run(112.0)
    assert theatre.ledger.switches == 1
    switched = next(asked for asked in theatre.asked if "720p" in asked.target)
    assert switched.kind is Kind.PLAYLIST
    assert "_HLS_msn=" in switched.target
    loaded = [target for target in theatre.targets(Kind.PART) if "audio" not in target]
    numbers = [int(target.rpartition("p")[2].partition(".")[0]) for target in loaded]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "nothing twice, nothing left out"
    first = next(number for number, target in zip(numbers, loaded, strict=True) if "720p" in target)
    assert first % 4 == 0
    assert theatre.targets(Kind.INIT)[-1] == "/live/720p/init.mp4"


def test_throughput_falls_when_the_network_does() -> None:
    theatre = Theatre(part_bytes=50_000, transfer_s=0.7)
    theatre.join(ViewerClass(abr=Abr.THROUGHPUT), url=LIVE)
    theatre.run(112.0)
    assert theatre.ledger.switches == 0
    assert not [asked for asked in theatre.asked if "720p" in asked.target]


def test_a_pause_loads_nothing_and_costs_latency() -> None:
    theatre = Theatre()
    player = theatre.join(ViewerClass(pause_every_s=5.0, pause_s=(6.0, 6.0)))
    theatre.run(160.0)
    ledger = theatre.ledger
    assert ledger.pauses >= 2
    assert ledger.stalls == 0
    assert max(b.at - a.at for a, b in zip(theatre.asked, theatre.asked[1:], strict=False)) > 4.0
    assert max(ledger.latency_us) - min(ledger.latency_us) >= 5e6
    assert set(seconds(ledger.part_us)) == {0.02}, "what was missed during a pause is no delay of the server's"
    assert not player.gone


def test_a_seek_loads_the_window_from_there() -> None:
    theatre = Theatre()
    player = theatre.join(ViewerClass(seek_every_s=8.0, seek_back_s=(20.0, 20.0)))
    theatre.run(130.0)
    assert theatre.ledger.seeks >= 1
    assert theatre.targets(Kind.SEGMENT), "whole segments: their parts are not listed any more"
    assert player.head.state is State.PLAYING
    assert theatre.ledger.latency_us[-1] == pytest.approx(23e6, abs=1.5e6)
    assert theatre.ledger.stalls == 0
    assert set(seconds(theatre.ledger.part_us)) == {0.02}


def test_out_of_the_window_it_goes_back_to_live() -> None:
    theatre = Theatre(Stream(window=4))
    player = theatre.join(ViewerClass(pause_every_s=5.0, pause_s=(60.0, 60.0)))
    theatre.run(175.0)
    assert theatre.ledger.pauses == 1
    assert player.head.state in (State.PLAYING, State.PAUSED)
    assert theatre.ledger.latency_us[-1] < 6e6


def test_a_pause_ends_even_if_the_stream_went_on_without_the_viewer() -> None:
    """The playlist that was asked for before the pause comes in it, and puts the viewer back to live."""
    theatre = Theatre(Stream(window=2, frozen=(103.0, 115.0)))
    player = theatre.join(ViewerClass(mode=Mode.SAFARI, pause_s=(20.0, 20.0)))
    theatre.run(103.5)
    player._pause(theatre.now)
    states = [player.head.state]
    theatre.run(116.0)
    assert player.still
    assert [*states, player.head.state] == [State.PAUSED, State.SEEKING]
    count = len(theatre.asked)
    theatre.run(123.4)
    assert len(theatre.asked) == count, "nothing is asked for in a pause"
    theatre.run(130.0)
    assert not player.still
    assert player.head.state is State.PLAYING
    assert theatre.ledger.latency_us[-1] < 6e6


def test_leaving() -> None:
    theatre = Theatre()
    player = theatre.join()
    theatre.run(105.0)
    player.leave(theatre.now)
    player.leave(theatre.now)
    count = len(theatre.asked)
    theatre.run(110.0)
    assert theatre.ledger.left == 1
    assert theatre.left == [player]
    assert len(theatre.asked) == count


def test_the_end_of_the_stream_is_no_stall() -> None:
    theatre = Theatre(Stream(ended_at=108.0))
    player = theatre.join()
    theatre.run(120.0)
    assert player.gone
    assert theatre.ledger.left == 1
    assert theatre.ledger.stalls == theatre.ledger.fatal == 0


def test_delta_updates_are_asked_for_and_merged() -> None:
    theatre = Theatre(Stream(skips=True))
    theatre.join()
    theatre.run(120.5)
    assert theatre.targets(Kind.PLAYLIST)[-1].endswith("&_HLS_skip=YES")
    assert theatre.ledger.parts == 4 + 20
    assert theatre.ledger.errors == {}


def test_an_answer_that_waited_in_a_cache_is_refreshed_before_the_start() -> None:
    theatre = Theatre(age=2)
    player = theatre.join()
    theatre.run(100.9)
    assert not theatre.targets(Kind.PART)
    theatre.run(101.5)
    assert player.head.state is State.PLAYING


def test_playlists_without_dates_are_played_but_not_timed() -> None:
    theatre = Theatre(Stream(dated=False))
    player = theatre.join()
    theatre.run(112.5)
    ledger = theatre.ledger
    assert player.head.state is State.PLAYING
    assert ledger.stalls == 0
    assert ledger.parts == 4 + 12
    assert ledger.part_us == ledger.playlist_us == ledger.latency_us == []


def test_a_playlist_that_is_none_is_retried() -> None:
    theatre = Theatre()
    library = theatre.library
    original = library.view

    def broken(*arguments: object) -> object:
        return original(arguments[0], b"nonsense" if 103 < theatre.at < 104.5 else arguments[1], arguments[2])  # type: ignore[arg-type]

    library.view = broken  # type: ignore[method-assign,assignment]
    player = theatre.join()
    theatre.run(110.0)
    assert theatre.ledger.errors.get("malformed playlist")
    assert player.head.state is State.PLAYING
