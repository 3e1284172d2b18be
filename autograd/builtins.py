"""Python's containers by HIPS/autograd's names. Here they hold tensors as they are, so only `isinstance`
and `type`
differ: a tensor answers as its array."""

import builtins

from .tracer import notrace_primitive

tuple = builtins.tuple
list = builtins.list
dict = builtins.dict
isinstance = notrace_primitive(builtins.isinstance)


def type(x):
    """The type of a value: of a tensor's array, where it is a tensor."""
    return _type_of(x)


_type_of = notrace_primitive(lambda x: builtins.type(x))
