"""Application files for process trees: each `kit`'s functions are what every worker runs, once."""

HEAD = """
import ctypes, os, signal, threading, time
from tests.processes.toy import Kit

FOLDER = os.environ["TEST_FOLDER"]

def told(name):
    return os.path.exists(os.path.join(FOLDER, name))

def first_to(name):
    try:
        os.close(os.open(os.path.join(FOLDER, name), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

def innocent():
    while not told("enough"):
        time.sleep(0.02)
"""

IDLE = HEAD + "kit = Kit()"
BUSY = HEAD + "kit = Kit(innocent)"


def crashing(how: str) -> str:
    """One worker's second task does this, once; its neighbour and the other workers are innocent."""
    return f"""{HEAD}
def guilty():
    if first_to("crashed"):
        time.sleep(0.1)
        {how}

kit = Kit(innocent, guilty)
"""
