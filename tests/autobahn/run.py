"""Drives the Autobahn test suite against the WebSocket endpoint, and accepts only the strict verdict.

A subscriber in the `raw` format hears what it says itself, so the endpoint is the echo that the suite expects. Each
case gets a channel of its own: what one says, no other hears.

Usage: run.py [ADDRESS]

Without an address, a server of its own is started: the binary that FALLCAST_BIN names, or cargo's debug build. It
delivers as TEST_DELIVERY says. An address of another echo, such as ws://127.0.0.1:9001/{case}, gets the name of the
case in place of {case}.
"""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from kosoku import FailureError, run_fuzzingclient
from kosoku.cases import CASES

# Framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing, and automatic fragmentation. The others ask
# for nothing more of the protocol (9, performance), or for an extension that is not offered (12 and 13, compression).
CHAPTERS = {"1", "2", "3", "4", "5", "6", "7", "10"}

# What these do, the standard leaves open: the suite itself gives no verdict on anybody.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}

# Most cases wait for something, so more of them than there are cores run side by side.
SIDE_BY_SIDE = 8

FLAGS = ["--host", "127.0.0.1", "--port", "0", "--lab-port", "0"]


@contextmanager
def own_server():
    """Starts a server, and yields the address of a channel for each case."""
    binary = os.environ.get("FALLCAST_BIN") or Path(__file__).parents[2] / "target/debug/fallcast"
    settings = {name: value for name, value in os.environ.items() if not name.startswith("FALLCAST_")}
    if delivery := os.environ.get("TEST_DELIVERY"):
        settings["FALLCAST_DELIVERY"] = delivery
    with subprocess.Popen([binary, "serve", *FLAGS], env=settings, stdout=subprocess.PIPE, text=True) as server:
        try:
            first_line = server.stdout.readline().strip()
            if not first_line.startswith("listening on http"):
                sys.exit(f"{binary} does not listen: {first_line}")
            yield f"ws{first_line.removeprefix('listening on http')}/channels/autobahn-{{case}}/ws?format=raw"
        finally:
            server.kill()


async def run_case(case: str, address: str, turn: asyncio.Semaphore):
    """Runs one case on a connection of its own. That it fails is a result, not an error."""
    async with turn:
        try:
            [result] = await run_fuzzingclient(address.format(case=case), [case])
        except FailureError as failure:
            [result] = failure.results
        return result


async def run_cases(address: str):
    turn = asyncio.Semaphore(SIDE_BY_SIDE)
    cases = [case for case in CASES if case.split(".")[0] in CHAPTERS]
    return await asyncio.gather(*(run_case(case, address, turn) for case in cases))


def verdict(result) -> str:
    """What the suite says of both the messages and the closing handshake, if it says the same of both."""
    sayings = {result.behavior.value, result.behavior_close.value}
    return sayings.pop() if len(sayings) == 1 else " / ".join([result.behavior.value, result.behavior_close.value])


def is_strict(result) -> bool:
    return verdict(result) == ("INFORMATIONAL" if result.case_id in INFORMATIONAL else "OK")


def report(results) -> bool:
    """Prints each case that is not strictly right, and the counts. Returns whether all is well."""
    lax = [result for result in results if not is_strict(result)]
    for result in lax:
        print(f"case {result.case_id}: {verdict(result)}")
        print(f"  expected: {' '.join(result.expectation.split())}")
        print(f"  messages: {result.result}")
        print(f"  close:    {result.result_close} (code {result.remote_close_code})")
    for saying, count in Counter(map(verdict, results)).most_common():
        print(f"{count:4} {saying}")
    print(f"autobahn: {len(results) - len(lax)} of {len(results)} cases strictly right")
    return bool(results) and not lax


def main() -> None:
    if len(sys.argv) > 1:
        results = asyncio.run(run_cases(sys.argv[1]))
    else:
        with own_server() as address:
            results = asyncio.run(run_cases(address))
    all_is_well = report(results)
    sys.stdout.flush()
    # Not `sys.exit`: the suite's threads now and then outlive the interpreter, which then aborts whatever the verdict.
    os._exit(0 if all_is_well else 1)


if __name__ == "__main__":
    main()
