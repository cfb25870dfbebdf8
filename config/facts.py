"""What the roles know beyond their metrics, for their status pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .status import Facts, RenditionStatus, StreamStatus, UpstreamStatus

if TYPE_CHECKING:
    from headwater.edge.app import EdgeServer
    from headwater.edge.overview import Followed
    from headwater.origin.hub import Hub


def of_origin(hub: Hub) -> Facts:
    """The streams that the origin packages."""
    return Facts(tuple(_stream(stream.summary()) for stream in hub.streams()))


def _stream(summary: dict[str, Any]) -> StreamStatus:
    ladder = summary["ladder"]
    detail = f"since {summary['since']}"
    if ladder is not None:
        detail += f", ladder {ladder['state']}"
        if ladder["speed"]:
            detail += f" at {ladder['speed']:.2f}x"
        if ladder["reduced"]:
            detail += f": {ladder['reduced']}"
    return StreamStatus(
        summary["name"], summary["state"], detail, renditions=tuple(_rendition(one) for one in summary["renditions"])
    )


def _rendition(summary: dict[str, Any]) -> RenditionStatus:
    words = [summary["codec"]]
    if summary["width"]:
        words.append(f"{summary['width']}x{summary['height']}")
    if summary["frame_rate"]:
        words.append(f"{summary['frame_rate']:g} fps")
    if summary["sample_rate"]:
        words.append(f"{summary['sample_rate'] / 1000:g} kHz")
    if summary["encoded"]:
        words.append("encoded here")
    state = "offered" if summary["offered"] else "withdrawn"
    return RenditionStatus(summary["name"], state, ", ".join(words), bitrate=summary["bitrate"])


def of_edge(server: EdgeServer) -> Facts:
    """The playlists that the edge follows, by stream, and its upstream."""
    look = server.overview()
    streams: dict[str, list[Followed]] = {}
    for followed in look.followed:
        streams.setdefault(followed.stream, []).append(followed)
    url, failed, heard_s = server.upstream
    heard = "it was not asked yet" if heard_s is None else f"last answer {heard_s:.1f} s ago"
    detail = heard if failed is None else f"{failed}; {heard}"
    return Facts(
        tuple(_watched(name, all_of, look.viewers.get(name, 0)) for name, all_of in streams.items()),
        UpstreamStatus(url, failed is None, detail),
    )


def _watched(name: str, playlists: list[Followed], viewers: int) -> StreamStatus:
    states = {followed.state for followed in playlists}
    return StreamStatus(
        name,
        states.pop() if len(states) == 1 else "mixed",
        viewers=viewers,
        renditions=tuple(
            RenditionStatus(
                one.rendition, one.state, f"segment {one.last_msn}, {one.silent_s:.1f} s old", one.viewers, one.bitrate
            )
            for one in playlists
        ),
    )
