"""CMAF: ISO-BMFF boxes, init segments and chunks. Sans-IO, writes only.

    boxes    box and full-box framing
    entries  sample entries per codec (avc1, hvc1, av01, vp09, mp4a, Opus, ac-3, ec-3, fLaC)
    init     Track -> ftyp + moov
    chunk    samples -> moof + mdat

Not here: when a part ends (origin.segmenter), what a codec's header means (ingest.codecs).
"""
