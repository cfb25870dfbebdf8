"""The one error of this folder. Sans-IO.

ValueError
    BadConfig   a codec configuration that cannot be read, or that says something we cannot carry
"""

from __future__ import annotations


class BadConfig(ValueError):
    """A codec's configuration (or the frame it is inferred from) is malformed or not supported.

    The text is plain words for a log line: it names the codec's own terms and holds no bytes of the peer.
    """
