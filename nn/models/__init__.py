"""The architectures of the course, one file each."""

from .catalog import Entry as Entry
from .catalog import entries as entries
from .catalog import find as find
from .lenet import LeNet5 as LeNet5
