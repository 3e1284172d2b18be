"""`python -m autograd coverage`: the table of NumPy's functions, pinned. A function that NumPy adds, or that
changes its state here, shows up as a difference to these names."""

import numpy as np
import pytest

from autograd.__main__ import main
from autograd.coverage import DIFFERENTIABLE, PLAIN, REFUSED, coverage, dispatchable
from autograd.primitive import registry
from autograd.tensor import dispatch
from tests import numpy_rows, numpy_rows_keywords, numpy_rows_linalg

ROWS = [*numpy_rows.ROWS, *numpy_rows_keywords.ROWS, *numpy_rows_linalg.ROWS]

# NumPy 2.4's; older ones lack some of them
REFUSES = """
busday_count busday_offset copyto datetime_as_string fill_diagonal is_busday nextafter place put
put_along_axis putmask
"""
GIVES_PLAIN = """
all allclose any argmax argmin argpartition argsort argwhere around array2string array_equal array_equiv
array_repr array_str bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_or
bitwise_right_shift bitwise_xor can_cast ceil common_type count_nonzero diag_indices_from digitize einsum_path
empty_like equal fix flatnonzero floor floor_divide full_like gcd greater greater_equal heaviside histogram
histogram2d histogram_bin_edges histogramdd isclose iscomplex iscomplexobj isfinite isin isinf isnan isnat
isneginf isposinf isreal isrealobj ix_ lcm less less_equal lexsort logical_and logical_not logical_or
logical_xor may_share_memory min_scalar_type nanargmax nanargmin ndim nonzero not_equal ones_like packbits
ravel_multi_index result_type rint round save savetxt savez savez_compressed searchsorted shape shares_memory
sign signbit size spacing tril_indices_from triu_indices_from trunc unique_counts unpackbits unravel_index
zeros_like
"""
CALLED_ELSEWHERE = "array_split dot einsum inner outer split tensordot"  # tests/test_composed_ops.py


def named(state):
    return {name for name, (s, _) in coverage().items() if s == state}


def pinned(names):
    return {f"np.{name}" for name in names.split()}


def test_the_table():
    there = set(dispatchable())
    assert named(REFUSED) == pinned(REFUSES) & there
    assert named(PLAIN) == (pinned(GIVES_PLAIN) | {"np.linalg.matrix_rank"}) & there


def test_three_quarters_are_not_refused():
    assert len(named(REFUSED)) <= 0.25 * len(coverage())


def test_refusals_have_reasons():
    for name, (state, reason) in coverage().items():
        assert (len(reason) > 10) == (state == REFUSED), name


def test_every_differentiable_function_is_called():
    """A primitive by its rows in the table of ops, a composed function by those of numpy_rows."""
    called = {dispatchable_function(row.name) for row in ROWS}
    called |= {getattr(np, name) for name in CALLED_ELSEWHERE.split()}
    for name, function in dispatchable().items():
        run = dispatch.get(function)
        if getattr(run, "name", None) in registry:
            continue
        if coverage()[name][0] == DIFFERENTIABLE:
            assert function in called, f"{name} has no row in tests/numpy_rows.py"


def dispatchable_function(name):
    module, _, function = name.rpartition(".")
    return getattr({"np": np, "np.linalg": np.linalg, "np.fft": np.fft}[module], function)


def test_the_command(capsys):
    main(["coverage"])
    text = capsys.readouterr().out
    assert "np.linalg, differentiable" in text and "nextafter: " in text
    assert text.splitlines()[-1].startswith(f"{len(coverage())} functions of NumPy")
    with pytest.raises(SystemExit):
        main(["nothing"])
