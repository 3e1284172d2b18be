"""Layers that pad sequences, images and volumes at their places, channels last. Negative widths crop."""

from autograd.ops.padding import pad
from autograd.ops.windownd import PLACES, batch

from ..module import Module
from .check import number


class _Pad(Module):
    """`axes` is the number of axes of places, `mode` that of `pad`."""

    axes: int
    mode: str
    value = 0.0

    def __init__(self, padding):
        super().__init__()
        widths = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * (2 * self.axes)
        if len(widths) != 2 * self.axes or not all(isinstance(w, int) for w in widths):
            raise ValueError(
                f"{type(self).__name__}: padding is an int or {2 * self.axes} ints, before and after each "
                f"axis of {PLACES[self.axes]}, the last axis first, got {padding!r}"
            )
        self.padding = widths

    def forward(self, x):
        return pad(batch(x, self.axes), self.padding, self.mode, self.value)

    def extra_repr(self):
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = number(self, "value", value)

    def extra_repr(self):
        return f"{self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """`ConstantPad2d` of sequences; padding (left, right)."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Adds `value` around images. ConstantPad2d(padding, value), padding a number or (left, right, top,
    bottom)."""

    axes = 2


class ConstantPad3d(_ConstantPad):
    """`ConstantPad2d` of volumes; padding (left, right, top, bottom, front, back)."""

    axes = 3


class ZeroPad1d(_Pad):
    """Zeros around sequences; padding a number or (left, right)."""

    axes, mode = 1, "constant"


class ZeroPad2d(_Pad):
    """Zeros around images. ZeroPad2d(padding), a number or (left, right, top, bottom). COURSE.md C4W1-pad."""

    axes, mode = 2, "constant"


class ZeroPad3d(_Pad):
    """Zeros around volumes; padding a number or (left, right, top, bottom, front, back)."""

    axes, mode = 3, "constant"


class ReflectionPad1d(_Pad):
    """`ReflectionPad2d` of sequences; padding (left, right)."""

    axes, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Mirrors images at their outermost pixels, which are not repeated: ... c b | a b c .... Padding a number
    or (left, right, top, bottom), each less than the image's size; raises ValueError otherwise."""

    axes, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """`ReflectionPad2d` of volumes; padding (left, right, top, bottom, front, back)."""

    axes, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """`ReplicationPad2d` of sequences; padding (left, right)."""

    axes, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Repeats the outermost pixels: ... a a | a b c .... Padding a number or (left, right, top, bottom)."""

    axes, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """`ReplicationPad2d` of volumes; padding (left, right, top, bottom, front, back)."""

    axes, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """`CircularPad2d` of sequences; padding (left, right)."""

    axes, mode = 1, "circular"


class CircularPad2d(_Pad):
    """Continues images with their other end: ... b c | a b c | a b .... Padding a number or (left, right,
    top, bottom), each at most the image's size; raises ValueError otherwise."""

    axes, mode = 2, "circular"


class CircularPad3d(_Pad):
    """`CircularPad2d` of volumes; padding (left, right, top, bottom, front, back)."""

    axes, mode = 3, "circular"
