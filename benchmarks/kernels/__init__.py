"""Cases of the group `kernels`, by kind of layer; groups/kernels.py lists them."""
