"""Ctrl-C while training."""

import signal
import sys
import threading


class Interrupt:
    """Within it the first Ctrl-C only sets `asked`, so that no step is torn in half; the second one raises
    KeyboardInterrupt as usual. Outside the main thread, where Python delivers no signals, it does nothing."""

    def __init__(self):
        self.asked = False

    def _note(self, *_):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("\nstopping after this step; Ctrl-C again stops at once", file=sys.stderr, flush=True)

    def __enter__(self):
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_):
        if self._main:
            signal.signal(signal.SIGINT, self._before)
