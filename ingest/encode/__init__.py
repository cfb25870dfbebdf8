"""Encode: the ladder. One video (and, where asked, audio) track in, several renditions out, in real time.

Words
    source      the rendition that the publisher sent, on stream time (`Sample`s of `source`)
    rung        one rendition that we encode: `720p`, `480p`, an audio rendition
    ladder      all rungs of a stream
    plan        what a given source gets: the rungs with sizes, rates, encoders (`model.Plan`)
    grid        the constant frame rate of the ladder, in stream time; every rung shows frames of the grid
    worker      one process per transcoded stream; the only place of the server that imports `av`
    host        the side of the server: starts, feeds, watches and replaces the worker of one stream
    level       how much of the ladder's quality an overloaded machine has given up (0: nothing)

Flow
    ingest.stream gives every StreamEvent of the source to the host, in order
      host -> wire -> worker: samples, cuts, holes     (a socket pair, bounded both ways)
      worker -> wire -> host: encoded samples, pictures, progress
    host -> media.StreamSink: samples, holes, track starts and ends of the rungs
    Cuts are the timeline's: the worker forces an IDR on the first grid frame at or after `Cut.time` in every rung.

Not here: where segments end (ingest.timeline), MP4 (origin/cmaf). What the ladder does, or fails to do, never
touches the passthrough renditions.
"""
