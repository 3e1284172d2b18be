"""Pictures of the recorded graph: read into a small model (model.py), seen at a level of detail, folded, and
rendered as text, DOT, Mermaid, SVG, PNG, PDF and as a page. `from autograd import draw` is the way in."""

from .explain import chain as chain
from .explain import explain as explain
from .picture import Picture as Picture
from .picture import draw as draw
from .picture import trace as trace
