"""Memory that large arrays leave is kept for the next ones.

glibc gives a buffer of more than 32 MB back to the system on every free, and what lies free at the end of its
heap too; the next array of that size then waits for its pages to be cleared, which takes longer than most
elementwise work on it. NGRAD_MALLOPT=off leaves the allocator as it is."""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of <malloc.h>


def keep_freed_pages() -> bool:
    """Tells glibc to keep freed memory up to 1 GB; whether there is a glibc that listens."""
    if not sys.platform.startswith("linux") or os.environ.get("NGRAD_MALLOPT") == "off":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    return bool(mallopt and mallopt(_MMAP_THRESHOLD, 1 << 30) and mallopt(_TRIM_THRESHOLD, 1 << 30))


keep_freed_pages()
