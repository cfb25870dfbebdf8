"""Real headers and access units of FFmpeg 9's encoders, small enough to read, and ones written out by hand.

Configurations are the bodies of avcC, hvcC, av1C and vpcC, AudioSpecificConfig, OpusHead, STREAMINFO; frames are
whole packets or, where the text says so, their first bytes.
"""

from __future__ import annotations

AVCC_HIGH = bytes.fromhex(
    "0164000dffe100196764000dacd941519e226c38400000fa40003a9803c50a658001000668ebe3cb22c0fdf8f800"
)
"""x264 High, 322x182 (cropped), SAR 4:3, 30000/1001 fps."""

AVCC_BASELINE = bytes.fromhex("0142c00affe100176742c00ad90426c044000003000400000300c83c48992001000568cb83cb20")
"""x264 Constrained Baseline, 64x64, 25 fps, emulation prevention in the VUI."""

AVCC_444 = bytes.fromhex("01f4000dffe1001867f4000d919681519e3e2f011000003e90000ea600f142aa01000568ce0f1920fff8f800")
"""x264 High 4:4:4 Predictive, 322x182, 30000/1001 fps."""

AVCC_INTERLACED = bytes.fromhex(
    "01640015ffe1001867640015acd941433f78088000000300800000190f8a14cb01000668fba3cb22c0fdf8f800"
)
"""x264 High, interlaced (field macroblocks), 320x184, 25 fps."""

HVCC_MAIN10_PQ = bytes.fromhex(
    "0102200000009000000000001ef000fcfdfafa00000f03200001001840010c01ffff0220000003009000000300000300"
    "1e959809210001002d42010102200000030090000003000003001ea0208104d96566924caf016a122012080000030008"
    "00000300c84022000100074401c172b42240"
)
"""x265 Main 10, 64x64, 25 fps, BT.2020 and PQ."""

HVCC_422 = bytes.fromhex(
    "0104080000009d08000000001ef000fcfef8f800000f03200001001740010c01ffff0408000003009d0800000300001e"
    "95980921000100274201010408000003009d0800000300001eb020810596566924e57823404000000300400000064222"
    "000100074401c176b42240"
)
"""x265 range extensions 4:2:2, 64x64, SAR 16:11, 25 fps, default scaling lists."""

HVCC_MAIN = bytes.fromhex(
    "0101600000009000000000003cf000fcfdf8f800000f03200001001840010c01ffff0160000003009000000300000300"
    "3c959809210001002942010101600000030090000003000003003ca00a480b9c9596566924caf01680800001f480003a"
    "980422000100074401c172b46240"
)
"""x265 Main, 322x182 (cropped), 30000/1001 fps."""

AV1C = bytes.fromhex("81000c000a0b0200000521e836a017c002")
"""SVT-AV1 Main, 322x182, 8 bit, no colour description."""

AV1C_HLG = bytes.fromhex("81004c000a0d00000002afff9b5f2a12241208")
"""libaom Main, 64x64, 10 bit, BT.2020 and HLG."""

AV1_KEY_FRAME = bytes.fromhex("12000a0d00000002afff9b5f2a12241208320c1000a280000240000003d480")
"""A whole temporal unit of AV1C_HLG: temporal delimiter, sequence header, key frame."""

AV1_SHOW_EXISTING = bytes.fromhex("12001a01d8")
"""A whole temporal unit: temporal delimiter, frame header with show_existing_frame."""

VPCC = bytes.fromhex("01000000000a820202020000")
"""libvpx profile 0, 8 bit."""

VP9_KEY_FRAME = bytes.fromhex("824983420003f003f60038241c184a00003060000013b818000000")
"""A whole key frame, 64x64."""

VP9_INTER_FRAME = bytes.fromhex("860040929c00500000032000005470")
"""A whole inter frame."""

VPCC_PROFILE2 = bytes.fromhex("01000000020aa20202020000")
"""libvpx profile 2, 10 bit."""

VP9_KEY_FRAME_PROFILE2 = bytes.fromhex("924983420001f801fb001c120e0c2c000018600000673e7393bb30")
"""A whole key frame of profile 2, 64x64."""

ASC_LC = bytes.fromhex("118856e500")
"""AAC LC, 48 kHz, mono, with "no SBR" said in the sync extension."""

ASC_LC_8K = bytes.fromhex("158856e500")
"""AAC LC, 8 kHz, mono."""

ASC_LC_51 = bytes.fromhex("11b056e500")
"""AAC LC, 48 kHz, 5.1."""

OPUS_HEAD = bytes.fromhex("4f707573486561640101380180bb0000000000")
"""Mono, pre-skip 312."""

OPUS_60MS = bytes.fromhex("fb037249472710e4c85b78278b8732c2")
"""First bytes of a 60 ms packet."""

OPUS_20MS = bytes.fromhex("f87249472710e4c85b78278b87174141")
"""First bytes of a 20 ms packet."""

STREAMINFO = bytes.fromhex("040004000000000008150bb800f00000000000000000000000000000000000000000")
"""48 kHz, mono, 16 bit, blocks of 1024."""

STREAMINFO_FINAL = bytes.fromhex("040004000000cf00018b0bb800f000005dc07714778062064ed6d0fb374c3dc0f47e")
"""The same as an encoder writes it when it stops: frame sizes, length and MD5 filled in."""

FLAC_FRAME = bytes.fromhex("fff8aa0800ed4c000000eb01d602c003")
"""First bytes of a frame of 1024 samples."""

FLAC_LAST_FRAME = bytes.fromhex("fff87a081701bf524af610f6cdf792f8")
"""First bytes of a frame whose block size (448) is written out."""

AC3_FRAME = bytes.fromhex("0b77b50b1e40ebf8403eff99ff0841fc3f87f0dd5c3e86fb")
"""First bytes of a syncframe: 48 kHz, 5.1, 448 kbit/s."""

AC3_FRAME_MONO = bytes.fromhex("0b7738664c402f842be1877b875dfbe7ef9f3e86f9f3e7ef")
"""First bytes of a syncframe: 44.1 kHz, mono, 96 kbit/s."""

EAC3_FRAME = bytes.fromhex("0b77037f3f87c00020f820000200400004001fcc7e0107e1")
"""First bytes of a syncframe: 48 kHz, 5.1, 448 kbit/s, 6 blocks."""
