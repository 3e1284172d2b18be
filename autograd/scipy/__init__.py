"""SciPy's functions with derivatives, by HIPS/autograd's names. SciPy is an extra: pip install
"ngrad[scipy]"."""

try:
    import scipy as _scipy  # noqa: F401
except ImportError:
    raise ImportError('autograd.scipy needs SciPy: pip install "ngrad[scipy]"') from None
