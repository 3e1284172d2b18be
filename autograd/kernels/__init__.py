"""Numba kernels: ndarray in, ndarray out, no Tensor. `compiling` caches them, `threads` runs them, and each
other file is one chapter (`conv`, `pool`). Ops import a chapter inside their forward, so that `import
autograd` loads no Numba."""
