"""Training that is killed, at any moment, goes on from its last checkpoint as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.survivor import result, same, survivor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork are POSIX's"),
]

ROOT = Path(__file__).resolve().parent.parent


LONG, SHORT = 15, 5  # epochs


def whole(folder, epochs):
    """What a run leaves that nothing stopped."""
    survivor(folder, epochs=epochs)
    return result(folder)


def start(folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "tests.survivor", str(folder), str(LONG)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_killed_at_random_moments_from_outside(tmp_path):
    """SIGKILL by another process some time after training began, again and again until it is through."""
    chance, killed = random.Random(0), 0
    for attempt in range(15):
        process = start(tmp_path / "parts")
        first = process.stdout.readline()
        if attempt < 14:
            time.sleep(chance.uniform(0, 0.12))
            process.kill()
        _, errors = process.communicate(timeout=60)
        assert first == "training\n", errors
        assert process.returncode in (0, -signal.SIGKILL), errors
        if process.returncode == 0:
            break
        killed += 1
    assert killed >= 3
    assert same(result(tmp_path / "parts"), whole(tmp_path / "whole", LONG))
    assert not [
        path.name
        for path in (tmp_path / "parts").iterdir()
        if path.name.startswith(".") or ".tmp" in path.name
    ]


KILLED_WITHIN = """
import os, pathlib, signal, sys
import tests.survivor as s

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def trap(owner, name, countdown):
    # The call number `countdown` of a function of the operating system is the last: half of it happens.
    real, left = getattr(owner, name), [countdown]
    def trapped(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            if name == "write_bytes":
                real(args[0], args[1][: len(args[1]) // 2])
            elif name == "replace" and countdown % 2:
                real(*args, **kwargs)
            die()
        return real(*args, **kwargs)
    setattr(owner, name, trapped)

folder = pathlib.Path(sys.argv[1])
places = [(os, "replace"), (os, "fsync"), (pathlib.Path, "write_bytes"), (os, "link"), (os, "unlink")]
killed = 0
for attempt in range(40):
    child = os.fork()
    if not child:
        try:
            if attempt < 39:
                owner, name = places[attempt % len(places)]
                trap(owner, name, 1 + (attempt * 7) % 11)
            s.survivor(folder, (folder / "checkpoint.safetensors").exists(), seed=attempt)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        killed += 1
    elif os.WEXITSTATUS(status):
        sys.exit("a run failed")
    else:
        break
print(killed)
"""


def test_killed_within_the_writing_of_files(tmp_path):
    """The process dies in the middle of a write, before and after a sync, a link and a rename."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WITHIN, str(tmp_path / "parts")],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) >= 10
    assert same(result(tmp_path / "parts"), whole(tmp_path / "whole", SHORT))
