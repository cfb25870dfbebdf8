"""Timeline: from packets in source time to samples, cuts and holes on one Unix-anchored stream time.

Words
    source time   a publisher's own clock, see `ingest.media`; here always in 90 kHz ticks, unwrapped
    stream time   Unix-anchored ticks that only go forward; `position` means stream time at 90 kHz
    lane          one track of the present publisher on its way to its rendition
    primary       the lane that decides the cuts: the first video track, else the first audio track
    anchor        stream time minus source time of a lane
    lost          a lane that is silent while the stream goes on: its time is listed as holes
    epoch         what outlives the process, so that no number and no name is ever used twice

Flow
    Timeline.packet -> start.Gather (until there is a keyframe to begin with)
                    -> lane (source.SourceTime: wraps, jumps, frozen clocks; then the lane's own grid)
                    -> cuts.Cuts (where a segment ends) -> Sample, Cut, Hole events
    parttarget fixes PART-TARGET and rates measures frame rates before the stream starts;
    drift keeps the dates near the wall clock and says what stream time "now" is.

Not here: sockets, clocks, files (see ingest.server, ingest.state), parts and playlists (see origin/).
Sans-IO: `now` is monotonic seconds, `unix` is Unix seconds; both come in as arguments.
"""

from .model import Advice, AdviceKind, Counters, Epoch, TimelineSettings
from .timeline import Timeline

__all__ = ["Advice", "AdviceKind", "Counters", "Epoch", "Timeline", "TimelineSettings"]
