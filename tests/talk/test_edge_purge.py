"""Purges of a live stream on real sockets: viewers who wait for the next part notice nothing."""

from __future__ import annotations

from functools import partial

from tests.edge_house import LIST, House, on_both_loops, until, waiting

from headwater.edge.purge import Order, What


def last_msn(body: bytes) -> tuple[int, int]:
    """Segments and parts that a playlist lists."""
    return body.count(b"#EXTINF"), body.count(b"#EXT-X-PART:")


def asked(house: House, count: int) -> bool:
    """Whether the plain playlist was asked for so often."""
    return house.upstream.hits.count(LIST) == count


@on_both_loops
async def test_a_live_stream_goes_on_over_purges(house: House) -> None:
    edge = await house.edge()
    peers = [await house.peer(edge) for _ in range(5)]
    stream = house.upstream.stream
    seen = last_msn((await peers[0].ask(LIST)).body)
    part = f"/live/x/v/{stream.model.segments[-1].parts[-1].uri}"
    assert (await peers[0].ask(part)).status == 200
    for soft in (False, True):
        for peer in peers:
            peer.get(f"{LIST}?_HLS_msn={stream.msn}&_HLS_part={len(stream.open)}")
        await until(waiting(house)(5))
        plain = house.upstream.hits.count(LIST)
        purged = edge.purge(Order(What.STREAM, LIST, soft=soft))
        assert purged is not None
        assert purged.followers == 1
        assert purged.objects > 0
        await until(partial(asked, house, plain + 1))
        parts = house.upstream.hits.count(part)
        other = await house.peer(edge)
        assert (await other.ask(part)).status == 200
        assert house.upstream.hits.count(part) == parts + 1
        assert house.metric("headwater_edge_held") == 5, "who waits goes on waiting"
        house.upstream.step()
        answers = [await peer.answer() for peer in peers]
        assert {answer.status for answer in answers} == {200}
        now = last_msn(answers[0].body)
        assert now != seen
        seen = now
    assert house.metric("headwater_edge_purges_total", kind="stream") == 2
