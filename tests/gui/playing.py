"""Having a scenario played in a program: what the tests of this folder share."""

import json
import subprocess
import sys

from gui.screens import HERE

EXAMPLES = HERE.parents[1] / "examples"
#: Seconds after which a program has hung; a scenario gives up before.
LIMIT = 60
#: Another program may take the processor away at any time. What is too slow by itself is so each time.
TRIES = 5
#: Said on stderr by the platform that shows windows of Qt nowhere.
CHATTER = "This plugin does not support propagateSizeHints()"


def run(command, environment, **variables):
    """Run a program to its end; return what it printed, when it printed no word of complaint."""
    done = subprocess.run(command, env={**environment, **variables}, capture_output=True, text=True, timeout=LIMIT)
    complaints = [line for line in done.stderr.splitlines() if line and line != CHATTER]
    assert ([], 0) == (complaints, done.returncode), f"{done.stderr}\n{done.stdout}"
    return done.stdout


def play(toolkit, scenario, environment, *arguments, program=None, **variables):
    """Play a scenario in the chat of a toolkit, or in another program; return what it noted."""
    program = EXAMPLES / (program or f"{toolkit}_chat.py")
    command = [sys.executable, "-W", "error", "-X", "utf8", HERE / "play.py", toolkit, scenario, program, *arguments]
    *_, last = run([*map(str, command)], environment, **variables).splitlines()
    report = json.loads(last)
    assert ([], True, 0) == (report["errors"], report["began"], report["notes"]["threads"]), report
    return report["notes"]


def first_good(measure, is_good):
    """Measure until a result is good, a few times at most; return the last."""
    for _ in range(TRIES):
        result = measure()
        if is_good(result):
            break
    return result
