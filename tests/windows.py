"""A program with a window, as far as streams are concerned: a queue, drained in one thread, and what it was told."""

import queue
import threading


class Window:
    """A program whose callbacks run where it says: in the thread that drains its queue."""

    def __init__(self):
        self.queue, self.told, self.threads, self.posts = queue.Queue(), [], set(), 0

    def post(self, function, *args):
        """What a GUI offers: run this soon."""
        self.posts += 1
        self.queue.put((function, args))

    def on(self, name):
        """A callback that notes its name and what it got."""

        def note(value):
            self.told.append((name, value))
            self.threads.add(threading.current_thread())

        return note

    def all(self, *left_out):
        """One callback of every kind."""
        kinds = ["text", "reasoning", "tool_call", "usage", "retry", "done", "error", "cancelled"]
        return {f"on_{kind}": self.on(kind) for kind in kinds if kind not in left_out}

    def named(self, name):
        """What the callback of this name was told."""
        return [value for other, value in self.told if other == name]

    def run_one(self):
        """Run what was posted first."""
        function, args = self.queue.get(timeout=3)
        function(*args)

    def drain(self):
        """Run all that was posted; how much it was."""
        count = self.queue.qsize()
        for _ in range(count):
            self.run_one()
        return count

    def run_until(self, name):
        """Run what is posted until a callback of this name was told."""
        while not self.named(name):
            self.run_one()
