"""Files that are whole or not there at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Gives the path of a temporary file beside `path`, which takes its place at the end of the block. If
    the block raises, or the disk is full, or the process is killed, what was at `path` before is still
    there."""
    path = Path(path)
    temporary = path.with_name(
        f".{path.stem}-{os.getpid()}{path.suffix}"
    )  # a writer may choose a format by the suffix
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def writable_folder(path: str | Path) -> Path:
    """Makes the folder if need be, and tries a write into it, so that a wrong one is told before the work,
    not after. Raises OSError that says why not."""
    path = Path(path)
    trial = path / f".trial-{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"")
    except OSError as error:
        raise type(error)(f"cannot write into the folder {path}: {error.strerror or error}") from None
    finally:
        if path.is_dir():
            trial.unlink(missing_ok=True)
    return path
