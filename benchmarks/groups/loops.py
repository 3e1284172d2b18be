"""The hot loops of the course three ways: Python's loops over single numbers, as a lecture writes them first;
NumPy without them; and the call that one makes here. At the sizes of the course, and growing.
"""

from benchmarks.loops import images, numbers, sequences

CASES = [*numbers.CASES, *images.CASES, *sequences.CASES]
