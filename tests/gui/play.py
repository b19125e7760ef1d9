"""Play a scenario in a real program with a window: python play.py TOOLKIT SCENARIO PROGRAM ARGUMENTS...

The program runs as its users start it; when its main loop begins, the scenario of this name from scenarios.py begins
too, in steps of five milliseconds. At the end a line of JSON says what was noted, what was reported as an error, and
which threads of streams were left.
"""

import contextlib
import json
import runpy
import sys
import threading
import time
import traceback

import scenarios

#: Seconds between two steps, which are the heartbeat of the window too.
STEP = 0.005
#: Seconds after which a scenario has hung.
LIMIT = 25


class Heart:
    """The longest pause between two beats of the event loop, in seconds."""

    def __init__(self):
        self.restart()

    def restart(self):
        """Forget what was; the next beat is the first."""
        self.last, self.worst, self.beats = None, 0.0, 0

    def beat(self):
        """Note that the event loop is alive."""
        now = time.perf_counter()
        if self.last is not None:
            self.worst = max(self.worst, now - self.last)
        self.last, self.beats = now, self.beats + 1


class Player:
    """Runs a scenario: a generator that yields a condition wherever it waits for one."""

    def __init__(self, scenario):
        self.scenario, self.notes, self.errors, self.heart = scenario, {}, [], Heart()
        self.steps = self.wait = None

    def begin(self, ui):
        """The main loop is about to run."""
        self.ui, self.deadline = ui, time.monotonic() + LIMIT
        self.steps = self.scenario(ui, self.heart, self.notes)
        ui.every(STEP, self.step)

    def step(self):
        """One beat. False at the end of the scenario."""
        self.heart.beat()
        try:
            if self.wait is None or self.wait():
                self.wait = next(self.steps)
            if time.monotonic() > self.deadline:
                line = self.steps.gi_frame.f_lineno
                raise TimeoutError(f"scenarios.py:{line} waits; the window says {self.ui.text()[-300:]!r}")
        except StopIteration:
            return False
        except BaseException:
            self.errors.append(traceback.format_exc())
            self.ui.give_up()
            return False
        return True

    def note_error(self, kind, error, trace):
        """What the toolkit or Python reports."""
        self.errors.append("".join(traceback.format_exception(kind, error, trace)))


def streams():
    """The threads of streams."""
    return [thread for thread in threading.enumerate() if thread.name == "compatapi-stream"]


def main(toolkit, name, program, *arguments):
    """Play, and print what came of it."""
    player = Player(getattr(scenarios, name))
    sys.excepthook = player.note_error
    threading.excepthook = lambda args: player.note_error(*args[:3])
    ui_class = __import__(f"{toolkit}_ui").UI
    ui_class.hook(player)
    sys.argv = [program, *arguments]
    with contextlib.suppress(SystemExit):
        runpy.run_path(program, run_name="__main__")
    ended = time.monotonic()
    while streams() and time.monotonic() < ended + 2:
        time.sleep(0.002)
    player.notes |= {"thread_seconds": time.monotonic() - ended, "threads": len(streams())}
    print(json.dumps({"notes": player.notes, "errors": player.errors, "began": player.steps is not None}))


if __name__ == "__main__":
    main(*sys.argv[1:])
