"""The encoder worker: the process that decodes, scales, resamples and encodes with PyAV.

    python -m headwater.ingest.encode.worker FD      the entry; FD: its end of the socket pair

Flow
    wire messages in -> decoder -> grid (dup, drop, IDR) -> one scaler and encoder per rung -> wire messages out

Nothing outside this package imports `av` in the server. Nothing here knows streams' names, playlists or sockets
other than its own.
"""
