"""The distribution keeps its word: layout, versions, declared dependencies, and what `import` costs."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("autograd", "nn", "optim")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# import name -> the distribution to declare; each Numba requires the one llvmlite it works with
DISTRIBUTION = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn", "llvmlite": "numba"}
ENGINE = [f"autograd/{name}.py" for name in ("tensor", "methods", "graph", "primitive", "modes", "random")]


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, anywhere in it; relative ones resolved."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                folder = ROOT.joinpath(*base, alias.name)
                is_module = folder.is_dir() or folder.with_suffix(".py").is_file()
                yield ".".join((*base, alias.name) if is_module else base)


def top(module: str) -> str:
    return module.split(".")[0]


def third_party(path: Path) -> set[str]:
    """Names of the distributions that a file imports from."""
    ours = {*PACKAGES, "tests", "benchmarks", "__future__"}
    tops = {top(name) for name in imports(path)} - sys.stdlib_module_names - ours
    return {DISTRIBUTION.get(name, name) for name in tops}


def declared(*extras: str) -> set[str]:
    """Names of the distributions that the core and these extras ask for, extras of extras included."""
    requirements = list(PROJECT["dependencies"])
    for extra in extras:
        requirements += PROJECT["optional-dependencies"][extra]
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}
    nested = [extra for r in requirements if r.startswith("ngrad[") for extra in r[6:-1].split(",")]
    return (names | declared(*nested) if nested else names) - {"ngrad"}


def run_python(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_top_level_is_the_one_decided():
    files = {"pyproject.toml", "README.md", "Makefile", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"}
    fixed = {*files, *PACKAGES, "tests"}
    on_disk = {path.name for path in ROOT.iterdir()}
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    ours = {line.split("/")[0] for line in listing.splitlines()} or on_disk - {"out", "build", "dist"}
    assert fixed <= on_disk
    assert {name for name in ours if not name.startswith((".", "_"))} <= fixed | {"benchmarks", "notebooks"}


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_typed_and_agrees_on_the_version(package):
    assert (ROOT / package / "py.typed").is_file()
    assert import_module(package).__version__ == PROJECT["version"]


def test_changelog_begins_with_the_version():
    assert re.search(r"^## (\S+)", read(ROOT / "CHANGELOG.md"), re.MULTILINE)[1] == PROJECT["version"]


def undeclared(folder: str, known: set[str]) -> dict[str, set[str]]:
    strays = {str(path.relative_to(ROOT)): third_party(path) - known for path in sources(folder)}
    return {path: names for path, names in strays.items() if names}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_of_the_packages_is_declared(package):
    # torch is in `peers`: where a user has it, nn.weights reads .pt files through it
    assert not undeclared(package, declared("all") | {"torch"})


def test_every_import_of_the_tests_is_declared():
    assert not undeclared("tests", declared("dev", "peers"))


def test_extras_are_not_needed_to_import():
    extras = declared("all") - declared()
    blocked = [name for name in [*DISTRIBUTION, *extras] if DISTRIBUTION.get(name, name) in extras]
    run_python(
        f"import sys; sys.modules.update(dict.fromkeys({blocked})); import autograd, nn, optim, nn.__main__"
    )


def test_importing_autograd_imports_no_numba():
    run_python("import sys, autograd; assert 'numba' not in sys.modules, 'import autograd imported numba'")


@pytest.mark.parametrize("path", ENGINE)
def test_engine_imports_numpy_and_itself_only(path):
    engine = {name.removesuffix(".py").replace("/", ".") for name in ENGINE}
    strays = {name for name in imports(ROOT / path) if top(name) not in {"numpy"} | sys.stdlib_module_names}
    assert strays <= engine


def test_kernels_import_numba_and_themselves_only():
    allowed = {"numpy", "numba", "llvmlite", "threadpoolctl"} | sys.stdlib_module_names
    for path in sources("autograd/kernels"):
        strays = {name for name in imports(path) if top(name) not in allowed}
        assert {name for name in strays if not name.startswith("autograd.kernels")} == set(), path


@pytest.mark.parametrize(
    "path", sources(*PACKAGES, "tests", "benchmarks"), ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_file_is_short_and_names_what_it_imports(path):
    text = read(path)
    assert text.count("\n") <= 450
    assert not re.search(r"^\s*from .* import \*", text, re.MULTILINE)
    assert "utils" not in path.stem


def test_makefile_has_the_targets_and_the_readme_the_two_commands():
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    assert targets >= {"demo", "test", "test-fast", "lint", "bench", "notebooks", "clean", "help"}
    assert {"make demo", "make test"} <= set(read(ROOT / "README.md").splitlines())
