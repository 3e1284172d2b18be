"""Handwritten digits: scikit-learn's 1,797, and the one in a person's own picture.

scikit-learn's are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, UCI,
1998): each digit was scaled to fill a 32x32 bitmap, whose 4x4 blocks were counted to give 8x8 numbers in
0..16. A picture from outside is brought to the same form here, since a network only knows digits that look
like those it was shown.
"""

import numpy as np

from ..extras import extra

BITMAP = 32  # side of the bitmap that the 8x8 counts come from
STROKE = 0.4  # share of the box around a digit that ink covers at least; 0.44 on average over the 1,797
SPECK = 0.02  # what is smaller than this share of the largest drawn piece is dirt


def load_digits(size: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """`(images, labels)`: `(1797, size, size, 1)` float32 in 0..1 (ink is 1), enlarged from 8x8 by bicubic
    interpolation, and `(1797,)` int64 in 0..9. Raises ImportError without scikit-learn or Pillow."""
    with extra("data"):
        from sklearn import datasets
    digits = datasets.load_digits()
    images = np.stack([enlarge(image, size) for image in digits.images / 16])
    return images[..., None], digits.target.astype(np.int64)


def enlarge(image: np.ndarray, size: int) -> np.ndarray:
    """A small grey image `(h, w)` in 0..1 as `(size, size)`, by bicubic interpolation without its
    overshoot."""
    with extra("data"):
        from PIL import Image
    resized = Image.fromarray(image.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(resized), 0, 1)


def digit_in_picture(brightness: np.ndarray, size: int = 28) -> tuple[np.ndarray, list[str]]:
    """The digit of a grey picture `(n_H, n_W)` in 0..1 as `load_digits` would have it: `(size, size, 1)`,
    and what was done to it, in words.

    The background is the median of the picture's border, so dark on light and light on dark are both read.
    Raises ValueError when the picture shows nothing.
    """
    with extra("data"):
        from PIL import Image
        from skimage import filters, measure, morphology
    border = np.concatenate([brightness[0], brightness[-1], brightness[:, 0], brightness[:, -1]])
    background = float(np.median(border))
    ink = np.abs(brightness - background)
    if ink.max() < 0.1:
        raise ValueError("the picture shows no digit: all of it is nearly the same brightness")
    drawn = ink > filters.threshold_otsu(ink)
    pieces = measure.label(drawn)
    areas = np.bincount(pieces.ravel())
    areas[0] = 0  # the background
    drawn = (areas > SPECK * areas.max())[pieces]
    darker = float(brightness[drawn].mean()) < background
    done = ["read as dark on light: inverted" if darker else "read as light on dark: not inverted"]

    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    box = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    h, w = box.shape
    done.append(f"cropped to the drawn part, {w}x{h} pixels")
    scale = BITMAP / max(h, w)
    to = (max(round(w * scale), 1), max(round(h * scale), 1))
    cover = np.asarray(Image.fromarray(box.astype(np.float32)).resize(to, Image.Resampling.BOX))
    # A line thinner than a pixel of the bitmap covers part of it everywhere: it still is a line.
    bitmap = np.zeros((BITMAP, BITMAP), bool)
    top, left = (BITMAP - to[1]) // 2, (BITMAP - to[0]) // 2
    bitmap[top : top + to[1], left : left + to[0]] = cover > 0.5 * cover.max()
    thicker = 0
    while bitmap.sum() < STROKE * to[0] * to[1] and thicker < 3:
        bitmap = morphology.dilation(bitmap, morphology.diamond(1))
        thicker += 1
    if thicker:
        done.append("strokes thickened")
    step = BITMAP // 8
    counts = bitmap.reshape(8, step, 8, step).mean(
        (1, 3)
    )  # what the 8x8 numbers of the training images count
    done.append(f"brought to 8x8 and enlarged to {size}x{size}, as the training digits were")
    return enlarge(counts, size)[..., None], done
