"""HIPS/autograd's interface for functions and types of one's own."""

from .core import JVPNode as JVPNode
from .core import VJPNode as VJPNode
from .core import VSpace as VSpace
from .core import def_linear as def_linear
from .core import defjvp as defjvp
from .core import defjvp_argnum as defjvp_argnum
from .core import defjvp_argnums as defjvp_argnums
from .core import defvjp as defvjp
from .core import defvjp_argnum as defvjp_argnum
from .core import defvjp_argnums as defvjp_argnums
from .core import vspace as vspace
from .tracer import Box as Box
from .tracer import notrace_primitive as notrace_primitive
from .tracer import primitive as primitive
from .tracer import register_notrace as register_notrace
