"""How kernels are compiled: on first use, kept on disk, and with a word to whoever has to wait.

Numba's own key for a kept kernel is the text of that one function's file: it sees neither an edited callee in
another file nor the options of `njit`. So our cache directory is named by a hash of all kernels' sources, the
versions of the compiler and the CPU; an edit or a new machine starts an empty one."""

import contextlib
import hashlib
import importlib.util
import os
import stat
import sys
import tempfile
import threading
import time
from pathlib import Path

import llvmlite
import llvmlite.binding
import numba
from numba.core import event

from .kept import Kept

PATIENCE = 1.0  # seconds of compiling before stderr says why nothing happens


def leave_scipy_out() -> None:
    """Numba imports scipy.linalg with the first kernel, 13 MB and 0.1 s, only to see whether a kernel could
    use its BLAS. That SciPy is installed tells as much; a kernel of the user's that does use it has Numba
    import it then."""
    if "numba.np.arraymath" in sys.modules or importlib.util.find_spec("scipy") is None:
        return
    from numba.np import linalg

    if not hasattr(linalg, "ensure_blas"):
        return
    ensure, linalg.ensure_blas = linalg.ensure_blas, lambda: None
    try:
        importlib.import_module("numba.np.arraymath")  # asks once
    finally:
        linalg.ensure_blas = ensure


leave_scipy_out()


def source_key(folder: Path) -> str:
    """A hash of the Python files in `folder`, Python's, Numba's and LLVM's versions, this CPU, and the
    switches (NGRAD_SIMD, NGRAD_WINOGRAD, ...) that pick one function or another when the kernels load."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    cpu = llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten()
    switches = sorted((name, value) for name, value in os.environ.items() if name.startswith("NGRAD_"))
    versions = sys.version_info[:2], numba.__version__, llvmlite.__version__
    digest.update(repr((versions, cpu, switches)).encode())
    return digest.hexdigest()[:16]


def user_cache_folder() -> Path:
    """Where this system keeps a user's caches. Raises RuntimeError for a user without a home."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _is_private(folder: Path) -> bool:
    """Makes the folder if need be, and tells whether we can write there and nobody else can: Numba unpickles
    what it finds in its cache, so a folder that others can write to would run their code."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        info = folder.lstat()
    except OSError:
        return False
    if os.name != "posix":
        return True
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not info.st_mode & 0o022


def cache_folder(key: str) -> Path:
    """The folder for compiled kernels: under NUMBA_CACHE_DIR if that is set, else under the user's cache,
    else under the system's temporary folder; a throw-away one where none of these can be written."""
    if numba.config.CACHE_DIR:
        return Path(numba.config.CACHE_DIR) / f"ngrad-{key}"
    with contextlib.suppress(RuntimeError):
        if _is_private(folder := user_cache_folder() / "ngrad" / key):
            return folder
    user = os.geteuid() if os.name == "posix" else "user"
    if _is_private(folder := Path(tempfile.gettempdir()) / f"ngrad-{user}-{key}"):
        return folder
    return Path(tempfile.mkdtemp(prefix="ngrad-"))


FOLDER = cache_folder(source_key(Path(__file__).parent))


def kernel(**options):
    """`numba.njit(**options)` without the GIL, kept in our folder. `@kernel(parallel=True)` for a loop over
    chunks, `@kernel(fastmath=REASSOCIATE)` for sums that may be taken in vector order."""

    def compile_later(function):
        made = numba.njit(nogil=True, error_model="numpy", **options)(function)
        made._cache = Kept(function, FOLDER)  # as `cache=True` would set Numba's
        return made

    return compile_later


# A sum may be reordered and a product fused into it; NaN, infinity and division keep their meaning.
REASSOCIATE = {"reassoc", "contract", "nsz"}


class _Notice(event.Listener):
    """Says once, on stderr, that kernels are being compiled, when that has taken PATIENCE seconds in all."""

    def __init__(self):
        self.lock = threading.Lock()
        self.depth = 0  # a kernel compiles its callees: count the outermost only
        self.spent = 0.0
        self.started = 0.0
        self.said = False
        self.timer = None

    def on_start(self, event):
        if not self._ours(event):
            return
        with self.lock:
            self.depth += 1
            if self.depth > 1 or self.said:
                return
            self.started = time.monotonic()
            self.timer = threading.Timer(max(PATIENCE - self.spent, 0), self._say)
            self.timer.daemon = True
            self.timer.start()

    def on_end(self, event):
        if not self._ours(event):
            return
        with self.lock:
            self.depth -= 1
            if self.depth == 0 and self.timer is not None:
                self.timer.cancel()
                self.timer = None
                self.spent += time.monotonic() - self.started

    def _ours(self, event):
        return not self.said and event.data["dispatcher"].py_func.__module__.startswith(__package__)

    def _say(self):
        self.said = True
        print(f"ngrad: compiling kernels for this CPU, once (kept in {FOLDER})", file=sys.stderr, flush=True)


event.register("numba:compile", _Notice())
