"""MPEG-TS: from transport packets to tracks and packets, sans-IO (ISO/IEC 13818-1)."""
