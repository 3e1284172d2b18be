"""End-to-end systems on real data: `python -m nn train NAME` runs one.

A recipe is a module with a first docstring line that says what it does, and

    MODEL                  the name of its architecture in nn.models
    train(out, *, seed, epochs, batch_size, learning_rate, checkpoint_every, resume, quiet)
                           trains, and writes into the folder `out`; returns a History and a score. It gives
                           `fit` these as settings=dict(recipe=its name, seed=..., ..., checkpoint_every=...),
                           so that --resume goes on with those of the run
    evaluate(out)          judges the model in `out` on what was held out of training
    predict(out, file)     says what the model in `out` sees in a person's own file

`train`'s defaults are the settings that were found to work. The three print, since they are commands. What
goes wrong through the user's doing raises ValueError, OSError, ImportError or FloatingPointError with one
line.
"""

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType


def names() -> list[str]:
    """The names of all recipes: the files in this folder."""
    return [file.name for file in pkgutil.iter_modules(__path__)]


def load(name: str) -> ModuleType:
    """The recipe of that name, which is in `names()`."""
    return importlib.import_module(f"{__name__}.{name}")


# ---- what recipes share


def weights_in(out: str | Path, recipe: str) -> Path:
    """The file of weights that training wrote. Raises FileNotFoundError that tells how to train."""
    weights = Path(out) / "model.safetensors"
    if not weights.is_file():
        where = "" if Path(out) == Path("out") / recipe else f" --out {out}"
        raise FileNotFoundError(
            f"no trained model at {weights}: run `python -m nn train {recipe}{where}` first"
        )
    return weights


def if_installed(write: Callable[[], object], name: str) -> str | None:
    """Runs what a missing extra must not stop; gives the line to say then."""
    try:
        write()
    except ImportError as error:
        return f"{name} is left out: {error}"
    return None


def silent(*_) -> None:
    """Stands for `print` where a recipe is to be quiet."""
