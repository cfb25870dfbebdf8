"""MPEG-TS: from the bytes of a transport stream to tracks, packets and cues (ISO/IEC 13818-1). Sans-IO throughout.

Words
    packet      188 bytes: PID, continuity counter, adaptation field, payload
    PID         one numbered flow of packets: a table, or an elementary stream
    section     a table's unit, with CRC: PAT (programs), PMT (a program's streams), SCTE-35 cue
    PES packet  a piece of an elementary stream with time stamps: one picture, or some audio frames
    channel     what is known of one PID on its way from packets to PES packets or sections

Flow
    demux.Demuxer drives them all:
    bytes -> packet.Framer -> assembly (continuity, PES packets, sections)
      -> sections, tables (PAT, PMT) -> streams (what each stream is) -> program (readers, track ids)
      -> video (units, sets, clock) | av1_ts | audio (framing, adts, latm, opus_ts) -> output -> events
    limits says what one stream may cost, events what the shell is told, scte35 when a cue is meant.

What a loss does: the PES packet at hand is dropped (of audio, what follows the loss) and counted; the stream goes on
with its next one. Pictures that refer to a lost one are handed on all the same: decoders show damage up to the next
key picture, as over every transport, and nobody waits.

Not here: sockets, SRT, clocks (`arrived` is the shell's), the 33-bit wrap and jumps (ingest/timeline), captions
inside video, MPEG-2 video, decryption.
"""

from .demux import Demuxer
from .events import Counters, CueReceived, TsEvent
from .limits import Limits

__all__ = ["Counters", "CueReceived", "Demuxer", "Limits", "TsEvent"]
