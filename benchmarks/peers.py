"""What we are measured beside, and where it is installed.

HIPS/autograd has our import name and can never share our environment; JAX and MyGrad get one of their own
too, as a user would have it. They are made on request, under .venv-peers:

    python -m benchmarks.peers jax tinygrad mygrad hips
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv-peers"


@dataclass(frozen=True)
class Peer:
    """A library, or a way of writing, to compare with: the modules it is imported as, what pip installs (""
    for nothing), whether it lives `apart`, in an environment of its own, and what compilers it needs one of.
    What is not `usual` is measured only where it is asked for."""

    name: str
    title: str
    modules: tuple[str, ...]
    requirement: str
    apart: bool = False
    compilers: tuple[str, ...] = ()
    usual: bool = True

    @property
    def folder(self) -> Path:
        """Its environment, when it lives apart."""
        return FOLDER / self.name

    @property
    def python(self) -> Path:
        """The interpreter that runs it."""
        if not self.apart:
            return Path(sys.executable)
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def missing(self) -> str:
        """What it lacks here and how to get that, "" where it can be measured."""
        lacks = []
        if self.apart:
            if not (self.folder / "installed").is_file():
                lacks.append(f"not installed: python -m benchmarks.peers {self.name}")
        elif not all(importlib.util.find_spec(module) for module in self.modules):
            lacks.append(f"not installed: pip install {self.requirement}")
        if self.compilers and not any(map(shutil.which, self.compilers)):
            lacks.append(f"no compiler: it calls one of {', '.join(self.compilers)}")
        return "; ".join(lacks)

    @property
    def installed(self) -> bool:
        """Whether it can be measured here."""
        return not self.missing


OURS = Peer("ours", "ngrad", ("autograd", "nn", "optim"), "ngrad")
PEERS = {
    peer.name: peer
    for peer in (
        Peer("torch", "PyTorch", ("torch",), "torch==2.13.0"),
        Peer(
            "compile",
            "torch.compile",
            ("torch",),
            "torch==2.13.0",
            compilers=("g++", "clang++", "cl"),
            usual=False,  # each network takes it a minute
        ),
        Peer("jax", "JAX jit", ("jax",), "jax==0.10.2", apart=True),
        Peer("tinygrad", "tinygrad", ("tinygrad",), "tinygrad==0.14.0", apart=True, compilers=("clang",)),
        Peer("mygrad", "MyGrad", ("mygrad",), "mygrad==2.5.0", apart=True),
        Peer("hips", "HIPS/autograd", ("autograd",), "autograd==1.9.1", apart=True),
        Peer("numpy", "NumPy", ("numpy",), "numpy"),
        Peer("loops", "Python loops", (), ""),
    )
}


def library(name: str) -> Peer:
    """A peer, or ourselves, by name."""
    return OURS if name == OURS.name else PEERS[name]


def install(peer: Peer) -> None:
    """Makes the environment of a peer that lives apart. Raises CalledProcessError when venv or pip fails."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "venv", "--clear", peer.folder], check=True)
    pip = [peer.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, peer.requirement, "numpy"], check=True)
    (peer.folder / "installed").write_text(peer.requirement + "\n", encoding="utf-8")


def main(names: list[str]) -> int:
    """`python -m benchmarks.peers NAME ...`"""
    apart = [name for name, peer in PEERS.items() if peer.apart]
    if not names or not set(names) <= set(apart):
        print(f"usage: python -m benchmarks.peers NAME ...    (of {', '.join(apart)})", file=sys.stderr)
        return 2
    for name in names:
        print(f"installing {PEERS[name].requirement} into {PEERS[name].folder}", file=sys.stderr)
        try:
            install(PEERS[name])
        except subprocess.CalledProcessError as error:
            print(f"{PEERS[name].title} was not installed: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
