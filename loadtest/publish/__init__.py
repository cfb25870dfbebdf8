"""`headwater publish`: a moving test picture with clock and beep, or a file, pushed over RTMP or SRT in real time.

Words: a *frame number* counts from the start of a connection at the nominal frame rate; the *anchor* is the
Unix time of frame 0; a *tag* is one FLV tag, which is one RTMP message.

Flow: `picture`● draws into a frame and `tone`● fills audio, or `file` reads packets -> `source` encodes and
lets libavformat write FLV into memory -> `flv`● splits it into tags -> `rtmp`● (with `amf`●) turns tags into
chunks -> `connection` owns the socket -> `run` paces, reports, reconnects and answers signals. Over SRT `srt` gives
the tags to a real ffmpeg in place of `rtmp` and `connection`.

Not here: options parsing and the command line (`headwater.config.cli`). No code is shared with the server, so that
the publisher is a second opinion on the protocol. libavformat's own RTMP output is not used: PyAV opens it while
holding the interpreter lock and without a timeout, so that a silent server would freeze the process for good.
"""

from .options import PublishOptions, UsageError
from .run import run

__all__ = ["PublishOptions", "UsageError", "run"]
