"""Sixteen photographs that come with scikit-image and scikit-learn, cut into squares: which one is a square
from?"""

from pathlib import Path

import numpy as np

from ..extras import extra
from .images import read_image
from .loader import generator_of

# name: file, in scikit-image's data or scikit-learn's images
PHOTOS = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "cat": "chelsea.png",
    "china": "china.jpg",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "flower": "flower.jpg",
    "galaxies": "hubble_deep_field.jpg",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "moon": "moon.png",
    "motorcycle": "motorcycle_left.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "tissue": "ihc.png",
}


def load_photo(name: str) -> np.ndarray:
    """One of PHOTOS as `(n_H, n_W, 3)` float32 in 0..1. Raises ImportError without scikit-image or
    scikit-learn, FileNotFoundError where their versions come without it."""
    with extra("data"):
        import skimage
        import sklearn
    places = (Path(skimage.__file__).parent / "data", Path(sklearn.__file__).parent / "datasets" / "images")
    paths = [place / PHOTOS[name] for place in places]
    return read_image(next((path for path in paths if path.exists()), paths[0]))


def photo_squares(side: int, most: int, seed: int | np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`(squares, labels)`: `(m, side, side, 3)` uint8, no two of which share a pixel, and `(m,)` int64, the
    places of their photos in PHOTOS. Of a photo with more than `most` squares a random choice."""
    rng, squares, labels = generator_of(seed), [], []
    for label, name in enumerate(PHOTOS):
        photo = np.round(255 * load_photo(name)).astype(np.uint8)
        cut = tiles(photo, side)
        chosen = np.sort(rng.permutation(len(cut))[:most])
        squares.append(cut[chosen])
        labels.append(np.full(len(chosen), label))
    return np.concatenate(squares), np.concatenate(labels)


def tiles(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture `(n_H, n_W, n_C)` cut into `(m, side, side, n_C)` without overlap, row by row; what is left
    over at the bottom and right is dropped. Raises ValueError for a smaller picture."""
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    if not rows or not columns:
        raise ValueError(
            f"a picture of {picture.shape[1]}x{picture.shape[0]} pixels has no square of {side}x{side}"
        )
    cut = picture[: rows * side, : columns * side].reshape(rows, side, columns, side, -1)
    return cut.swapaxes(1, 2).reshape(rows * columns, side, side, -1)
