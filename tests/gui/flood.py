"""Show a fast stream in a window and measure its heartbeat: python flood.py TOOLKIT MODE WORK SECONDS BASE_URL

Mode "joined" is `post_to_tk` or `post_to_qt`; "single" is what programs do without them: one event of the event loop
for each piece, by ``after`` from the thread of the stream in Tk, by a queued signal in Qt. Work "append" puts each text
at the end of a text widget; "render" shows the last 2,000 characters anew, as programs do that render Markdown.
Prints a line of JSON.
"""

import json
import platform
import sys
import time

from play import Heart

from compatapi import ChatCompletionRequest, Client, Message, post_to_qt, post_to_tk

#: Characters of each piece that the server says.
PIECE = 6
#: Seconds between two beats.
BEAT = 0.005


class Flood:
    """The stream and the numbers, whatever the toolkit."""

    def __init__(self, base_url, seconds):
        self.client, self.seconds = Client(base_url=base_url), seconds
        self.heart, self.began, self.shown, self.calls, self.result = Heart(), None, 0, 0, {}
        self.tail = ""

    def start(self, post, append, render, work):
        """Ask for the stream; ``append`` and ``render`` are the two ways to show text."""

        def show(text):
            if work == "append":
                append(text)
            else:
                self.tail = (self.tail + text)[-2000:]
                render(self.tail)
            if self.began is None:  # from here on it flows
                self.began, self.cpu = time.perf_counter(), time.process_time()
                self.heart.restart()
            self.shown += len(text)
            self.calls += 1

        self.handle = self.client.start_stream(
            ChatCompletionRequest("m", [Message.user("go")]), on_text=show, post=post
        )

    def beat(self):
        """Called by the event loop again and again. True when the time is over."""
        self.heart.beat()
        passed = 0 if self.began is None else time.perf_counter() - self.began
        if passed < self.seconds:
            return False
        waiting = len(self.handle.completion.text) - self.shown
        self.result = {
            "pieces_per_second": round(self.shown / PIECE / passed),
            "longest_gap_ms": round(self.heart.worst * 1000, 1),
            "beats_per_second": round(self.heart.beats / passed),
            "calls_per_second": round(self.calls / passed),
            "cpu_percent": round(100 * (time.process_time() - self.cpu) / passed),
            "pieces_waiting": round(waiting / PIECE),
        }
        return True


def flood_tk(flood, mode, work):
    """Run the flood in a Text of Tk."""
    import tkinter

    root = tkinter.Tk()
    text = tkinter.Text(root, wrap="word")
    text.pack(fill="both", expand=True)

    def append(piece):
        text.insert("end", piece)
        text.see("end")

    def render(tail):
        text.replace("1.0", "end", tail)
        text.update_idletasks()

    def beat():
        if flood.beat():
            flood.handle.cancel()
            root.destroy()
        else:
            root.after(int(BEAT * 1000), beat)

    post = post_to_tk(root) if mode == "joined" else lambda function, *args: root.after(0, function, *args)
    root.after(100, lambda: flood.start(post, append, render, work))
    root.after(100, beat)
    root.mainloop()
    return f"Tk {tkinter.Tcl().eval('info patchlevel')}"


def flood_qt(flood, mode, work):
    """Run the flood in a QPlainTextEdit of Qt, or as Markdown in a QTextEdit."""
    from PySide6 import QtCore, QtGui, QtWidgets

    application = QtWidgets.QApplication([])
    text, page = QtWidgets.QPlainTextEdit(), QtWidgets.QTextEdit()
    shown = text if work == "append" else page
    shown.resize(700, 500)
    shown.show()

    def append(piece):
        text.moveCursor(QtGui.QTextCursor.MoveOperation.End)
        text.insertPlainText(piece)
        text.ensureCursorVisible()

    def beat():
        if flood.beat():
            flood.handle.cancel()
            application.quit()

    timer = QtCore.QTimer(interval=int(BEAT * 1000), timerType=QtCore.Qt.TimerType.PreciseTimer, timeout=beat)
    timer.start()
    post = post_to_qt(shown, **({} if mode == "joined" else {"frame": 0}))
    QtCore.QTimer.singleShot(100, lambda: flood.start(post, append, page.setMarkdown, work))
    application.exec()
    return f"PySide6 {QtCore.qVersion()}"


def main(toolkit, mode, work, seconds, base_url):
    """Measure, and print the numbers."""
    flood = Flood(base_url, float(seconds))
    version = {"tk": flood_tk, "qt": flood_qt}[toolkit](flood, mode, work)
    print(json.dumps({**flood.result, "version": f"Python {platform.python_version()}, {version}"}))


if __name__ == "__main__":
    main(*sys.argv[1:])
