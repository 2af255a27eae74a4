"""Memory of this process that goes back to the system."""

import ctypes
from pathlib import Path

MADV_PAGEOUT = 21  # from <asm-generic/mman-common.h>, since Linux 5.4; older kernels refuse it, without harm


def page_out(file: Path) -> None:
    """Page out a mapped file."""
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    name = str(file.resolve())
    for line in Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines():
        if line.endswith(name):
            start, end = (int(address, 16) for address in line.split(maxsplit=1)[0].split("-"))
            madvise(start, end - start, MADV_PAGEOUT)


def give_back_freed() -> None:
    """Give back what was freed, which glibc keeps for later use; other C libraries do not."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
