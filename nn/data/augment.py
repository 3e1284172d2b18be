"""Changes to images that keep their class (C4W2-augment)."""

import numpy as np


def shift(images: np.ndarray, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Each image of `(m, n_H, n_W, n_C)` moved by its own random -pixels..pixels along both axes; zeros
    move in."""
    m, n_H, n_W, _ = images.shape
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (n_H, n_W), axis=(1, 2))
    down, right = rng.integers(0, 2 * pixels + 1, (2, m))
    moved = windows[np.arange(m), down, right]  # (m, n_C, n_H, n_W)
    return np.ascontiguousarray(np.moveaxis(moved, 1, -1))
