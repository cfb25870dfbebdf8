"""When each frame of a transport stream had passed on the network, from the SRT datagrams that carried it."""

from __future__ import annotations

from pathlib import Path

import av

TS_PACKET = 188
SRT_HEADER = 16
VIDEO_PID = 0x100
"""The first stream of libavformat's muxer."""


class FrameEnds:
    """Follows one elementary stream in unencrypted SRT data packets that come in order, each once."""

    def __init__(self, pid: int = VIDEO_PID) -> None:
        self._pid = pid
        self._times: list[float] = []

    def datagram(self, datagram: bytes, now: float) -> None:
        """A datagram has passed at `now`."""
        if len(datagram) < SRT_HEADER or datagram[0] & 0x80:
            return
        for at in range(SRT_HEADER, len(datagram) - TS_PACKET + 1, TS_PACKET):
            if (datagram[at + 1] << 8 | datagram[at + 2]) & 0x1FFF != self._pid:
                continue
            if datagram[at + 1] & 0x40:  # ISO/IEC 13818-1, 2.4.3.3: a PES packet starts
                self._times.append(now)
            elif self._times:
                self._times[-1] = now

    def times(self) -> list[float]:
        """Of each frame, when its last datagram passed; the last one may not be whole."""
        return self._times[:-1]


def video_sizes(source: Path) -> list[int]:
    """Bytes of each video packet of a file, in decode order."""
    with av.open(str(source)) as container:
        return [packet.size for packet in container.demux(video=0) if packet.size]
