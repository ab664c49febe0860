"""`python3 run.py EXERCISE`: the server of an exercise, with what the student has written, or with the solution."""

import importlib.util
import os
import sys
from pathlib import Path

from given import event_stream, poll, queues

USAGE = """Usage: python3 run.py EXERCISE [solution] [--port PORT]

Serves an exercise on this machine: with the function that you have written, or with the solution.
EXERCISE is one of long-polling, sse, resume, slow-reader.
PORT is 8090, unless it is given here or by the environment variable PORT."""

# Where an exercise listens that was told nothing else.
DEFAULT_PORT = "8090"


def main(words):
    *words, flag, port = words if words[-2:-1] == ["--port"] else [*words, "", os.environ.get("PORT", DEFAULT_PORT)]
    if not port.isdecimal() or int(port) > 65535:
        sys.exit(USAGE)
    match words:
        case [name] if name in EXERCISES:
            EXERCISES[name](int(port), load(name, "start"))
        case [name, "solution"] if name in EXERCISES:
            EXERCISES[name](int(port), load(name, "solution"))
        case _:
            sys.exit(USAGE)


def load(name, which):
    """The functions in an exercise's file."""
    path = Path(__file__).parent / name / f"{which}.py"
    spec = importlib.util.spec_from_file_location(f"{name}-{which}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def solved(name):
    return load(name, "solution")


# Each server is made of its own exercise and of the solutions of the others.
EXERCISES = {
    "long-polling": lambda port, written: poll.serve(port, written.poll, solved("resume").position),
    "sse": lambda port, written: event_stream.serve(port, written.event, solved("resume").position),
    "resume": lambda port, written: event_stream.serve(port, solved("sse").event, written.position),
    "slow-reader": lambda port, written: queues.serve(
        port, written.deliver, solved("sse").event, solved("resume").position
    ),
}

if __name__ == "__main__":
    main(sys.argv[1:])
