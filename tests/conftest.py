"""What every test shares: seeds, the PyTorch oracle, and skips that never pass unseen."""

import os
import sys
from collections import Counter
from types import ModuleType

import pytest

os.environ["MPLBACKEND"] = "Agg"  # before matplotlib is imported: no test opens a window

NO_SKIPS = os.environ.get("NGRAD_NO_SKIPS") == "1"
NEEDS_TORCH = "needs PyTorch as an oracle: pip install torch==2.13.0"


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """The PyTorch module, on one thread. Without PyTorch the test that asks for it is left out."""
    try:
        import torch
    except ImportError:
        pytest.skip(NEEDS_TORCH)
    torch.set_num_threads(1)  # its workers would spin on the cores that the kernels under test use
    return torch


@pytest.fixture(autouse=True)
def _seeded():
    """Every test starts from the same random numbers, whichever tests ran before it."""
    import autograd

    autograd.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def _threads(request):
    """Tests in several processes share the cores. There kernels keep to one thread, but in tests of kernels,
    ops and threads: workers that wait for each other take up to ten times as long."""
    threads = sys.modules.get("autograd.kernels.threads")
    if threads and "PYTEST_XDIST_WORKER" in os.environ:
        whole = any(word in request.node.nodeid for word in ("test_kernels", "test_ops", "threads"))
        threads.set_num_threads(threads.numba.config.NUMBA_NUM_THREADS if whole else 1)


def _fail_if_skipped(report):
    if NO_SKIPS and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
        report.outcome = "failed"
        report.longrepr = f"NGRAD_NO_SKIPS=1 allows no skip: {reason}"
        vars(report).pop("wasxfail", None)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _fail_if_skipped((yield))


def pytest_terminal_summary(terminalreporter):
    skipped = [
        report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped")
    ]
    exemptions = []
    if any("test_ops.py" in report.nodeid for report in terminalreporter.getreports("passed")):
        from tests.cases import all_cases  # which in parallel runs only the workers have imported

        exemptions = [reason for case in all_cases() for reason in case.exempt.values()]
    for title, reasons in (("tests left out", skipped), ("exemptions in the table of ops", exemptions)):
        if reasons:
            terminalreporter.section(f"{len(reasons)} {title}")
            for reason, count in Counter(reasons).most_common():
                terminalreporter.line(f"{count} x {reason}")
