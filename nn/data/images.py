"""Reading a person's image file."""

import warnings
from pathlib import Path

import numpy as np

from ..extras import extra

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601: how bright red, green and blue look


def read_image(path: str | Path) -> np.ndarray:
    """The picture as `(n_H, n_W, 3)` float32 in 0..1, turned as its camera meant, transparency on white.

    Reads what Pillow reads (png, jpeg, webp, bmp, tiff, gif: the first frame). Raises FileNotFoundError,
    IsADirectoryError, or ValueError for a file that is no image, is cut short, or is unreasonably large;
    ImportError without Pillow.
    """
    with extra("data"):
        from PIL import Image, ImageOps
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not an image file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                image = ImageOps.exif_transpose(file)
                deep = image.mode.startswith(("I", "F"))
                pixels = np.asarray(image if deep else image.convert("RGBA"), np.float32)
    except PermissionError:
        raise PermissionError(f"no permission to read {path}") from None
    except Image.UnidentifiedImageError:
        raise ValueError(
            f"{path} is not an image file that Pillow knows (png, jpeg, webp, bmp, tiff, gif)"
        ) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is too large: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is damaged or cut short: {error}") from None
    if deep:  # 16 bits or floats a pixel, grey
        low, high = float(pixels.min()), float(pixels.max())
        scale = 1.0 if 0 <= low and high <= 1 else 65535.0 if 0 <= low and high <= 65535 else 0.0
        if not scale:
            raise ValueError(f"{path} has grey values from {low:g} to {high:g}; needs 0..1 or 0..65535")
        return np.repeat((pixels / np.float32(scale))[:, :, None], 3, axis=2)
    colour, alpha = pixels[..., :3] / np.float32(255), pixels[..., 3:] / np.float32(255)
    return colour * alpha + (1 - alpha)


def grey(image: np.ndarray) -> np.ndarray:
    """The brightness `(n_H, n_W)` of a colour image `(n_H, n_W, 3)`."""
    return image @ LUMA
