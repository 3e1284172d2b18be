"""Cases of the group `loops`, by subject; groups/loops.py lists them."""
