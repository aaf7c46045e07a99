"""Converts a plain folder and kills itself after so many seconds: python FILE SRC DST SECONDS."""

import os
import signal
import sys
import threading
from pathlib import Path

from dissection.concepts.conversion import convert
from dissection.concepts.plain_layout import PlainLayout
from dissection.execution import checkpoint

if __name__ == "__main__":
    checkpoint._PAUSE, checkpoint._SHARE = 0, 1e9  # the survey is kept after each image
    source, target, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    if seconds:
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
    convert(PlainLayout(source, label_size=16), target, size=32, label_size=16, min_images=2)
    os._exit(0)
