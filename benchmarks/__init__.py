"""How fast this is, beside what else one might install: `python -m benchmarks --help`.

`measure` is the method, `worker` the process that a side runs in, `peers` the other libraries and their
environments, `report` the table and the JSON. What is measured is in `groups`: a new group is a new file
there, found by itself.
"""
