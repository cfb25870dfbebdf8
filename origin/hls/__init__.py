"""HLS as values and text: shared by the origin, the edge and the load harness. Sans-IO.

    directives     `_HLS_*` queries -> Serve | Wait | Reject
    model          a media playlist as immutable data
    writer         model -> text, also delta updates
    reader         text -> model
    delta          delta updates: making one, merging one
    attributes     attribute lists, small values, PlaylistError; dates: PROGRAM-DATE-TIME; tags: names
    multivariant   the multivariant playlist, out and in

Not here: HTTP, waiting, clocks.
"""
