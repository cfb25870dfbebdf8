"""The encoder worker: the process that decodes, scales, resamples and encodes with PyAV.

    python -m headwater.ingest.encode.worker FD      the entry; FD: its end of the socket pair
    python -m headwater.ingest.encode.worker.probe   which encoders open on this machine, and what they cost

Flow
    link (a thread reads, a short queue) -> loop (one message after the other; Progress in between)
      video   pictures: decode -> picture.Upright -> ..grid (which places, IDRs) -> rungs -> samples; stills
              rungs, each in its lane (a thread): picture.Shaper -> video.VideoEncoder
      sound   audio: decode -> sound.SoundEncoder per rung: resampler, whole frames, encoder -> samples
    `options` says to each encoder what a rung is, `lanes` are the threads, `heap` gives memory back.

Threads
    reader      only reads the socket
    main        everything else, and the heaviest rungs: while it hangs no Progress is sent
    lane N      scales and encodes some of the rungs, each always the same ones; the main thread waits for it

Nothing outside this package imports `av` in the server (`tests/lint/test_layers.py`). Nothing here knows streams'
names, playlists, or sockets other than its own.
"""
