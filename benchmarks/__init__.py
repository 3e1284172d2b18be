"""How fast this is, beside what else one might install: `python -m benchmarks --help`.

`measure` is the method, `worker` the process that a side runs in, `peers` the other libraries and their
environments, `report` the table and the JSON, `markdown` the README's tables, `plot` the pictures. What is
measured is in `groups`: a new group is a new file there, found by itself. `sides`, `calls` and `training` run
the same small function, layer or network on several libraries, `detection`, `elsewhere` and `style` hold what
these do not fit; `kernels` and `loops` hold cases of the groups of that name.
"""
