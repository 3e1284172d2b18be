"""One file a group, each with a list CASES. Files import NumPy and `benchmarks` only; a builder imports its
library inside itself, because every side runs in a process, and some peers in an environment, of their
own."""
