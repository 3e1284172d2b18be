"""The ground that kernels stand on: one thread pool, fork, the compiler's cache, and what `import` costs."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from autograd.kernels import compiling, conv, pool, threads

ROOT = Path(__file__).parent.parent
POOL = "((3, 3), (2, 2), (2, 2), ((0, 0), (0, 0)))"


def run(program, timeout=120, **environment):
    """A program in a process of its own: (standard output, standard error). Fails where it fails."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def all_threads():
    before = threads.get_num_threads()
    yield before
    threads.set_num_threads(before)


def layer(images=64):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((images, 9, 9, 3)).astype("f"), rng.standard_normal((3, 3, 3, 6)).astype("f")
    return x, w, ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)


def test_small_work_stays_on_one_thread():
    assert threads.chunks_of(100, 2 * threads.GRAIN - 1) == 1
    assert threads.chunks_of(100, 10 * threads.GRAIN) == 10
    assert threads.chunks_of(100, 100 * threads.GRAIN) == threads.CHUNKS
    assert threads.chunks_of(3, 100 * threads.GRAIN) == 3
    assert threads.chunks_of(0, 0) == 1


def all_kernels():
    """The bits of every kernel."""
    x, w, options = layer()
    y = conv.forward(x, w, None, (9, 9), *options)
    windows = ((4, 4), (2, 2), (2, 2), ((0, 0), (0, 0)))
    wide = np.repeat(y, 32, axis=3)  # enough for several chunks
    best, index = pool.max_forward(wide, *windows)
    mean = pool.average(wide, *windows, True)
    assert threads.chunks_of(64, index.size) > 1
    results = [y, conv.input_grad(y, w, (9, 9), *options), conv.weight_grad(x, y, (3, 3), *options)]
    results += [best, index, pool.scatter(best, index, (9, 9)), pool.gather(wide, index)]
    results += [mean, pool.average_grad(mean, (9, 9), *windows[1:], True)]
    return [r.tobytes() for r in results]


def test_the_number_of_threads_changes_no_bit(all_threads):
    every = all_kernels()
    threads.set_num_threads(1)
    assert threads.get_num_threads() == 1
    assert all_kernels() == every


def test_bad_numbers_of_threads(all_threads):
    with pytest.raises(ValueError, match="got 0, this process can use 1 to [0-9]+: .*NUMBA_NUM_THREADS"):
        threads.set_num_threads(0)
    with pytest.raises(ValueError, match="got 100000"):
        threads.set_num_threads(100_000)
    with pytest.raises(TypeError, match="takes an int, got float"):
        threads.set_num_threads(2.0)
    assert threads.get_num_threads() == all_threads


def test_openblas_has_one_thread():
    import threadpoolctl

    pools = [
        p
        for p in threadpoolctl.threadpool_info()
        if p["internal_api"] == "openblas" and "numpy" in p["filepath"]
    ]
    assert all(p["num_threads"] == 1 for p in pools)


def test_a_kernel_right_after_a_product_is_not_starved():
    """With two pools a kernel of some 100 us takes 5,000 us here."""
    x, w, options = layer()
    a = np.ones((500, 500), np.float32)
    times = []
    for after in (lambda: None, lambda: np.matmul(a, a)) * 20:
        after()
        start = time.perf_counter()
        conv.forward(x, w, None, (9, 9), *options)
        times.append(time.perf_counter() - start)
    alone, after = np.min(times[::2]), np.min(times[1::2])
    assert after < 3 * alone + 5e-4, (alone, after)


TWO_THREADS = f"""
    import threading, numba, numpy as np
    from autograd.kernels import pool
    x = np.random.default_rng(0).random((64, 6, 6, 64), np.float32)
    wrong = []
    expected, _ = pool.max_forward(x, *{POOL})
    def work():
        for _ in range(300):
            y, _ = pool.max_forward(x, *{POOL})
            if not np.array_equal(y, expected): wrong.append(1)
    both = [threading.Thread(target=work) for _ in range(2)]
    for t in both: t.start()
    for t in both: t.join()
    print(len(wrong), numba.threading_layer())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["omp", "workqueue"])
def test_two_python_threads_at_once(name):
    if name == "omp" and sys.platform != "linux":
        name = "default"
    out, _ = run(TWO_THREADS, NUMBA_THREADING_LAYER=name, NUMBA_NUM_THREADS="2")
    assert out.split()[0] == "0"
    assert name == "default" or out.split()[1] == name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["omp", "workqueue"] if hasattr(os, "fork") else [])
def test_a_forked_child_runs_kernels_on_one_thread(name):
    program = f"""
        import os, warnings, numpy as np
        warnings.simplefilter("ignore")  # newer Pythons warn of any fork with threads
        from autograd.kernels import pool, threads
        x = np.random.default_rng(0).random((64, 6, 6, 64), np.float32)
        y, _ = pool.max_forward(x, *{POOL})
        threads._Pool.lock.acquire()  # as if another thread were in the middle of a launch
        child = os.fork()
        if child == 0:
            z, _ = pool.max_forward(x, *{POOL})
            os._exit(0 if np.array_equal(y, z) else 3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    out, _ = run(program, NUMBA_THREADING_LAYER=name, NUMBA_NUM_THREADS="2")
    assert out.split() == ["0"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["omp", "workqueue"] if hasattr(os, "fork") else [])
def test_a_child_forked_before_the_first_kernel_uses_its_own_pool(name):
    program = f"""
        import os, numpy as np
        from autograd.kernels import pool, threads
        child = os.fork()
        if child == 0:
            pool.max_forward(np.ones((64, 6, 6, 64), np.float32), *{POOL})
            os._exit(0 if threads._Pool.started else 3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    out, _ = run(program, NUMBA_THREADING_LAYER=name, NUMBA_NUM_THREADS="2")
    assert out.split() == ["0"]


SPIN = f"""
    import os, numpy as np
    from autograd.kernels import pool
    before = dict(os.environ)
    pool.max_forward(np.ones((64, 6, 6, 64), np.float32), *{POOL})
    print(dict(os.environ) == before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "count"),
    [({}, threads.SPIN), ({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "passive"}, "0")],
)
def test_idle_workers_sleep_soon_unless_the_user_says_otherwise(told, count):
    """GNU OpenMP prints what it was told; the environment stays as it was."""
    clean = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    told = {**clean, **told, "NUMBA_NUM_THREADS": "2", "OMP_DISPLAY_ENV": "verbose"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SPIN)], cwd=ROOT, env=told, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n"
    if "GOMP_SPINCOUNT" in done.stderr:  # another OpenMP, or none, knows no such setting
        assert f"GOMP_SPINCOUNT = '{count}'" in done.stderr


def test_kernels_let_other_python_threads_run():
    """No kernel holds the GIL."""
    x = np.ones((64, 64, 64, 16), np.float32)
    w = np.ones((3, 3, 16, 16), np.float32)
    options = ((1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    conv.forward(x, w, None, (62, 62), *options)
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    start = time.perf_counter()
    for _ in range(3):
        conv.forward(x, w, None, (62, 62), *options)
    end = time.perf_counter()
    stop.set()
    ticker.join()
    assert sum(start < t < end for t in ticks) > 2


# ---- compiling


def test_import_loads_no_numba():
    out, _ = run(
        "import sys, autograd, autograd.kernels; print('numba' in sys.modules, 'llvmlite' in sys.modules)"
    )
    assert out.split() == ["False", "False"]


def test_the_key_is_of_every_source(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("y = 1\n")
    first = compiling.source_key(tmp_path)
    assert compiling.source_key(tmp_path) == first
    (tmp_path / "b.py").write_text("y = 2\n")
    second = compiling.source_key(tmp_path)
    (tmp_path / "b.py").rename(tmp_path / "c.py")
    assert len({first, second, compiling.source_key(tmp_path)}) == 3


COPY = """
    import sys, numpy as np
    sys.path.insert(0, {folder!r})
    from kernels_copy import pool
    y, _ = pool.max_forward(np.ones((1, 2, 2, 64), np.float64), (1, 1), (2, 2), (2, 2), ((0, 0), (0, 0)))
    print(y.max(), sum(pool._max.stats.cache_hits.values()), sum(pool._max.stats.cache_misses.values()))
"""


@pytest.mark.slow
def test_an_edited_callee_is_compiled_again(tmp_path):
    """Numba alone would go on using the old code of a function whose own file did not change."""
    copy = tmp_path / "kernels_copy"
    copy.mkdir()
    for file in ("__init__", "compiling", "kept", "lanes", "memory", "simd", "threads", "windows", "pool"):
        (copy / f"{file}.py").write_text((ROOT / "autograd" / "kernels" / f"{file}.py").read_text())
    helper = "from .compiling import kernel\n\n@kernel()\ndef factor():\n    return {}\n"
    (copy / "helper.py").write_text(helper.format(1))
    source = (copy / "pool.py").read_text()
    assert source.count("left, best)") == 1
    source = source.replace("left, best)", "left, multiply(best, spread(x.dtype.type(factor()))))")
    (copy / "pool.py").write_text(
        source.replace("from .threads", "from .helper import factor\nfrom .threads")
    )
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    program = COPY.format(folder=str(tmp_path))
    assert run(program, **cache)[0].split() == ["1.0", "0", "1"]
    assert run(program, **cache)[0].split() == ["1.0", "1", "0"]
    (copy / "helper.py").write_text(helper.format(5))
    assert run(program, **cache)[0].split() == ["5.0", "0", "1"]


def test_the_cache_is_the_users_and_private(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling.numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(compiling, "user_cache_folder", lambda: tmp_path / "home")
    folder = compiling.cache_folder("key")
    assert folder == tmp_path / "home" / "ngrad" / "key"
    assert folder.is_dir()
    if os.name != "posix":
        return
    assert folder.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder.chmod(0o777)  # others could put code there
    second = compiling.cache_folder("key")
    assert second == tmp_path / f"ngrad-{os.geteuid()}-key"
    second.rmdir()
    second.symlink_to(tmp_path / "home")
    third = compiling.cache_folder("key")
    assert third.parent == tmp_path
    assert third.is_dir()
    assert third not in (second, folder)


def test_the_cache_without_a_home(tmp_path, monkeypatch):
    def no_home():
        raise RuntimeError("no home")

    monkeypatch.setattr(compiling.numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(compiling, "user_cache_folder", no_home)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert compiling.cache_folder("key").parent == tmp_path


def test_the_users_own_kernels_are_kept_where_they_were():
    import numba

    before = numba.config.CACHE_DIR
    assert str(compiling.FOLDER) in pool._max._cache.cache_path
    assert numba.config.CACHE_DIR == before
    assert before != str(compiling.FOLDER)


@pytest.mark.slow
def test_two_processes_compile_at_once_and_say_so_once(tmp_path):
    """From an empty cache: both work, each says on stderr that it compiles, once; the next one says
    nothing."""
    program = f"""
        import numpy as np
        from autograd.kernels import compiling, pool
        compiling.PATIENCE = 0.05  # a second on the user's machine
        x = np.ones((64, 6, 6, 64), np.float32)
        y, index = pool.max_forward(x, *{POOL})
        pool.scatter(y, index, (6, 6))
    """
    results = []
    both = [
        threading.Thread(target=lambda: results.append(run(program, NUMBA_CACHE_DIR=str(tmp_path))))
        for _ in range(2)
    ]
    for t in both:
        t.start()
    for t in both:
        t.join()
    assert len(results) == 2
    for out, err in results:
        assert out == ""
        assert err.count("compiling kernels for this CPU, once") == 1
        assert err.count("\n") == 1
    assert run(program, NUMBA_CACHE_DIR=str(tmp_path)) == ("", "")


@pytest.mark.slow
def test_a_package_that_cannot_be_written(tmp_path):
    """Kernels are kept in the user's cache: from the second process on nothing is compiled, and nothing is
    put into the package."""
    package = tmp_path / "site"
    shutil.copytree(ROOT / "autograd", package / "autograd", ignore=shutil.ignore_patterns("__pycache__"))
    program = textwrap.dedent(
        f"""
        import numpy as np
        from autograd.kernels import compiling, pool
        assert str(compiling.FOLDER).startswith({str(tmp_path / "home")!r}), compiling.FOLDER
        pool.max_forward(np.ones((1, 6, 6, 64), np.float32), *{POOL})
        print(sum(pool._max.stats.cache_hits.values()), sum(pool._max.stats.cache_misses.values()))
        """
    )
    inside = sorted(package.rglob("*"))
    for path in inside:
        path.chmod(0o555 if path.is_dir() else 0o444)
    home = {name: str(tmp_path / "home") for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA")}
    environment = {**os.environ, **home, "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.split())
    assert said == [["0", "1"], ["1", "0"]]
    assert sorted(package.rglob("*")) == inside
    for path in inside:
        path.chmod(0o755)  # or the folder could not be removed
