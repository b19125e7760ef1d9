"""A label in a window of any toolkit, and a stream shown in it: python adapter.py TOOLKIT whole|destroy|quit BASE_URL

"whole" waits for the end of the answer. "destroy" destroys the window in mid-answer, while the main loop goes on with
another window. "quit" ends the main loop in mid-answer. Prints a line of JSON.
"""

import gc
import json
import sys
import threading
import time

from compatapi import ChatCompletionRequest, Client, Message, post_to_gtk, post_to_qt, post_to_tk, post_to_wx


class Tk:
    """A Toplevel; the root is the window that stays."""

    def __init__(self):
        import tkinter

        self.root = tkinter.Tk()
        self.window = tkinter.Toplevel(self.root)
        self.label = tkinter.Label(self.window)
        self.label.pack()
        self.post, self.show = post_to_tk(self.window), lambda text: self.label.configure(text=text)
        # A program may bind this as well, which must not push the adapter's binding out.
        self.window.bind("<Destroy>", lambda event: None)
        self.later = lambda seconds, function: self.root.after(int(seconds * 1000), function)
        self.destroy, self.run, self.quit = self.window.destroy, self.root.mainloop, self.root.destroy


class Qt:
    """A QLabel of PySide6."""

    package = "PySide6"

    def __init__(self):
        widgets = __import__(f"{self.package}.QtWidgets").QtWidgets
        core = __import__(f"{self.package}.QtCore").QtCore
        self.application = widgets.QApplication([])
        self.other, self.label = widgets.QLabel(), widgets.QLabel()
        self.other.show()
        self.label.show()
        self.post, self.show = post_to_qt(self.label), self.label.setText
        self.later = lambda seconds, function: core.QTimer.singleShot(int(seconds * 1000), function)
        self.destroy, self.run, self.quit = self.label.deleteLater, self.application.exec, self.application.quit


class PyQt(Qt):
    """A QLabel of PyQt6."""

    package = "PyQt6"


class Gtk:
    """A Window of GTK 3."""

    def __init__(self):
        import gi

        gi.require_version("Gtk", "3.0")
        from gi.repository import GLib, Gtk

        self.window, self.label = Gtk.Window(), Gtk.Label()
        self.window.add(self.label)
        self.window.show_all()
        self.post, self.show = post_to_gtk(self.window), self.label.set_text
        self.later = lambda seconds, function: GLib.timeout_add(int(seconds * 1000), lambda: function() and False)
        self.destroy, self.run, self.quit = self.window.destroy, Gtk.main, Gtk.main_quit


class Wx:
    """A Frame of wx."""

    def __init__(self):
        import wx

        self.application = wx.App()
        self.other, self.window = wx.Frame(None), wx.Frame(None)
        self.other.Show()
        self.window.Show()
        self.label = wx.StaticText(self.window)
        self.post, self.show = post_to_wx(self.window), self.label.SetLabel
        self.later = lambda seconds, function: wx.CallLater(int(seconds * 1000), function)
        self.destroy, self.run = self.window.Destroy, self.application.MainLoop
        self.quit = self.application.ExitMainLoop


def main(toolkit, scenario, base_url):
    """Show a stream, and print what came of it."""
    window = {"tk": Tk, "qt": Qt, "pyqt": PyQt, "gtk": Gtk, "wx": Wx}[toolkit]()
    pieces, threads, ends, notes = [], set(), [], {"errors": []}
    sys.excepthook = lambda kind, error, trace: notes["errors"].append(repr(error))
    threading.excepthook = lambda args: notes["errors"].append(repr(args.exc_value))

    def show(text):
        pieces.append(text)
        threads.add(threading.current_thread() is threading.main_thread())
        window.show("".join(pieces)[-200:])
        if scenario == "destroy" and len(pieces) == 5:
            window.destroy()
            window.later(0.5, quit_later)
        if scenario == "quit" and len(pieces) == 5:
            window.quit()

    def quit_later():
        notes["alive_before_quit"] = sum(thread.name == "compatapi-stream" for thread in threading.enumerate())
        window.quit()

    def end(value):
        ends.append(type(value).__name__)
        quit_later() if scenario == "whole" else None

    def start():
        last = {"on_done": end, "on_error": end, "on_cancelled": end}
        request = ChatCompletionRequest("m", [Message.user("go")])
        notes["handle"] = Client(base_url=base_url).start_stream(request, on_text=show, post=window.post, **last)

    window.later(0.05, start)
    window.run()
    handle = notes.pop("handle")
    gc.collect()
    deadline = time.monotonic() + 2
    while handle.running() and time.monotonic() < deadline:
        time.sleep(0.01)
    notes |= {"calls": len(pieces), "text": "".join(pieces), "in_main_thread": sorted(threads), "ends": ends}
    notes |= {"cancelled": handle.cancelled(), "closed": window.post.closed}
    print(json.dumps(notes))


if __name__ == "__main__":
    main(*sys.argv[1:])
