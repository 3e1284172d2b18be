"""Files that are whole or not there at all."""

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike, before: str | Path | None = None) -> Iterator[Path]:
    """Gives the path of a temporary file beside `path`, which takes its place at the end of the block. If
    the block raises, or the disk is full, or the process is killed, what was at `path` is still there. With
    `before`, what was at `path` is kept under that name (where the file system has hard links)."""
    place = Path(os.path.realpath(path))  # a link keeps pointing, its target is replaced
    # the suffix stays, since a writer may choose a format by it
    temporary = place.with_name(f".{place.stem}-{os.getpid()}-{secrets.token_hex(4)}{place.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        if before is not None:
            _link(place, Path(before))
        os.replace(temporary, place)
        _sync_folder(place.parent)
    except OSError as error:
        if error.filename is not None and Path(error.filename) != temporary:
            raise  # of another file
        raise type(error)(error.errno, f"cannot write: {error.strerror}", str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _link(path, before):
    """Gives the file at `path` the name `before` too. At no moment is there no whole file at either."""
    link = path.with_name(f".{before.stem}-{os.getpid()}{before.suffix}")
    with contextlib.suppress(OSError):
        os.link(path, link)
        os.replace(link, before)


def _sync_folder(folder):
    """Makes the rename itself survive a power cut, where the system lets a folder be opened."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Removes what a killed process left of files of these names that it was just writing."""
    for name in map(Path, names):
        for left in folder.glob(f".{name.stem}-[0-9]*{name.suffix}"):
            with contextlib.suppress(OSError):
                left.unlink()


def writable_folder(path: str | Path) -> Path:
    """Makes the folder if need be, and tries a write into it, so that a wrong one is told before the work,
    not after. Raises OSError that says why not."""
    path = Path(path)
    trial = path / f".trial-{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"a few bytes, since an empty file fits on a full disk")
    except OSError as error:
        raise type(error)(f"cannot write into the folder {path}: {error.strerror or error}") from None
    finally:
        if path.is_dir():
            trial.unlink(missing_ok=True)
    return path
