"""Boxes around objects: their formats, overlap, anchors, targets and suppression. Plain NumPy in and out."""

from .anchors import anchor_grid as anchor_grid
from .anchors import anchor_sizes as anchor_sizes
from .anchors import match as match
from .anchors import shape_iou as shape_iou
from .boxes import area as area
from .boxes import centred as centred
from .boxes import ciou as ciou
from .boxes import clip as clip
from .boxes import corners as corners
from .boxes import diou as diou
from .boxes import giou as giou
from .boxes import iou as iou
from .boxes import pixels as pixels
from .boxes import relative as relative
from .coding import decode_deltas as decode_deltas
from .coding import encode_deltas as encode_deltas
from .coding import grid_boxes as grid_boxes
from .coding import grid_targets as grid_targets
from .suppress import detections as detections
from .suppress import nms as nms
