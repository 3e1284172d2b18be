"""Pictures of the recorded graph: read into a small model (model.py), and rendered from it as text, DOT,
Mermaid, SVG, PNG and PDF. `from autograd import draw` is the way in."""

from .picture import Picture as Picture
from .picture import draw as draw
from .picture import trace as trace
