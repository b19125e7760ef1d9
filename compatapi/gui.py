"""``post=`` for programs with a window: Tk, Qt, GTK, wx, and a running asyncio loop.

A stream is read in a thread of its own, and widgets may be touched on the GUI's thread only. Each adapter here returns
a `FramePost`, which brings the callbacks over. It wakes the GUI once per frame at most, however many pieces arrive: a
model that says 2,000 pieces a second would fill the event loop of the window with 2,000 events.

No toolkit is imported before its adapter is called, and for Tk and Qt not even then: the widget has what they need.
"""

from __future__ import annotations

import functools
import importlib
import logging
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from compatapi.handle import StreamHandle, is_piece

if TYPE_CHECKING:
    import asyncio

__all__ = ["FramePost", "post_to_asyncio", "post_to_gtk", "post_to_qt", "post_to_tk", "post_to_wx"]

_log = logging.getLogger("compatapi")

#: Seconds. Most screens show 60 pictures a second; nobody sees more of the text than that.
FRAME = 1 / 60
#: Seconds between two looks of a toolkit that has to look by itself, while no stream runs.
IDLE = 1 / 10

Wake = Callable[[Callable[[], None]], object]
Later = Callable[[float, Callable[[], None]], object]
_Posted = tuple[Callable[..., object], tuple[Any, ...]]


class FramePost:
    """A ``post`` that delivers what was posted once per frame, in order; neighboring pieces of text come as one.

    What `post_to_tk` and its sisters return. Make one yourself for any other toolkit.

    ``post(function, *args)`` may be called from any thread and never waits. The pieces of ``on_text`` (and of
    ``on_reasoning``) that a stream told one directly after the other are joined, so that the callback is called once
    per frame. No other call is joined with another, left out or moved. When the callbacks of one frame take longer than
    the frame, the rest of them waits for the next one, and the window can breathe.

    Args:
        wake: ``wake(function)`` has the GUI's thread call the function soon. It is called from any thread and must not
            wait. ``None`` for a toolkit that no other thread may wake: then ``later`` is used to look whether something
            was posted, at the frame rate while a stream runs, and ten times a second otherwise.
        later: ``later(seconds, function)`` has it call the function after that time. Called on the GUI's thread.
        frame: Seconds between two deliveries. 0 turns the waiting and the joining off: each call wakes the GUI.
    """

    def __init__(self, wake: Wake | None, later: Later, *, frame: float = FRAME) -> None:
        self._wake = wake
        self._later = later
        self._frame = frame
        self._calls: deque[_Posted] = deque()
        self._handles: set[StreamHandle] = set()
        self._awake = False  # a frame is on its way
        self._closed = False
        self._lock = threading.RLock()
        if wake is None:
            later(IDLE, self._run_frame)

    def __call__(self, function: Callable[..., object], *args: Any) -> None:
        """Have the GUI's thread call ``function(*args)`` with the next frame. After `close` nothing happens."""
        with self._lock:
            if self._closed:
                return
            self._calls.append((function, args))
            if self._wake is None or (self._awake and self._frame):
                return
            self._awake = True
            try:
                self._wake(self._run_frame if self._frame else self._run_one)
                return
            except (RuntimeError, AssertionError):  # of asyncio and Qt, and of wx: there is no loop any more
                _log.debug("There is no window to post to any more", exc_info=True)
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed, or the window is gone."""
        return self._closed

    def close(self) -> None:
        """Cancel the streams that post here, and call nothing any more. Idempotent, from any thread.

        The adapters call it when their widget is destroyed. ``on_cancelled`` is not called either: there is no window
        to tell.
        """
        with self._lock:
            self._closed = True
            self._calls = deque()
            handles, self._handles = self._handles, set()
        for handle in handles:
            handle.cancel()

    def attach(self, handle: StreamHandle) -> None:
        """Cancel this stream too when the window closes. A `StreamHandle` calls it by itself, before it starts."""
        with self._lock:
            if not self._closed:
                self._handles.add(handle)
        if self._closed:
            handle.cancel()
        else:
            handle.add_done_callback(self._release)

    def _release(self, handle: StreamHandle) -> None:
        with self._lock:
            self._handles.discard(handle)

    # --- on the GUI's thread

    def _run_frame(self) -> None:
        if self._closed:
            return
        ran = bool(self._calls)
        try:
            self._run_calls(time.monotonic() + (self._frame or math.inf))
        finally:  # a function of the program that fails is the toolkit's to report; the rest is delivered all the same
            with self._lock:
                if not self._closed:
                    self._plan_next(ran)

    def _plan_next(self, ran: bool) -> None:
        # Text is likely to go on, so the next frame is planned at once: no thread has to wake the window for it.
        self._awake = ran or bool(self._calls)
        if self._awake:
            self._later(self._frame, self._run_frame)
        elif self._wake is None:
            self._later(self._frame if self._handles else IDLE, self._run_frame)

    def _run_calls(self, deadline: float) -> None:
        calls = self._calls
        left = len(calls)  # what comes while these run is for the next frame
        while left and not self._closed:
            function, args = calls.popleft()
            left -= 1
            if self._frame and is_piece(function, args):
                callback, piece = args
                pieces = [piece]
                while left and _continues(calls[0], function, callback):
                    pieces.append(calls.popleft()[1][1])
                    left -= 1
                args = callback, "".join(pieces)
            function(*args)
            if time.monotonic() > deadline:
                return

    def _run_one(self) -> None:
        if self._calls:
            function, args = self._calls.popleft()
            function(*args)


def _continues(posted: _Posted, function: Callable[..., object], callback: object) -> bool:
    """Whether a call tells the next piece of text to the same callback of the same stream."""
    other, args = posted
    return is_piece(other, args) and other == function and args[0] is callback


def post_to_tk(widget: Any, *, frame: float = FRAME) -> FramePost:
    """Return a ``post`` for the thread of a Tk widget, closed when the widget is destroyed. Call it on that thread.

    Tk may not be called from other threads at all: a call from one waits for the window, or fails, or crashes when the
    window closes. So the window looks whether something was posted, by ``after``.
    """
    planned = ""

    def later(seconds: float, function: Callable[[], None]) -> None:
        nonlocal planned
        planned = widget.after(max(1, _milliseconds(seconds)), function)

    def destroyed() -> None:
        post.close()
        widget.after_cancel(planned)  # else Tk complains that it is gone
        widget.tk.call("bind", tag, "<Destroy>", "")

    post = FramePost(None, later, frame=frame)
    # A tag of its own: the program may bind <Destroy> too, and the window's own tag hears of its children as well.
    # Not by bind_class, which keeps what it is given until the program ends.
    tag = f"compatapi{id(post)}"
    widget.bindtags((tag, *widget.bindtags()))
    widget.tk.call("bind", tag, "<Destroy>", widget.register(destroyed))
    return post


def post_to_qt(owner: Any, *, frame: float = FRAME) -> FramePost:
    """Return a ``post`` for the thread of a ``QObject``, be it of PySide or PyQt. Call it on that thread.

    It is closed when the object is destroyed, and when the application quits. A window that the user closes is only
    hidden, unless it has ``WA_DeleteOnClose``.

    Raises:
        TypeError: The owner is no ``QObject``.
    """
    module = next((cls.__module__ for cls in type(owner).__mro__ if cls.__name__ == "QObject"), None)
    if module is None:
        raise TypeError(f"post_to_qt needs a QObject, such as the window, not {owner!r}")
    core: Any = sys.modules[module]
    waker = _qt_waker(core)(owner)
    waker.woken.connect(waker.run, core.Qt.ConnectionType.QueuedConnection)
    timer = core.QTimer(waker)
    timer.setSingleShot(True)
    post = FramePost(
        lambda function: waker.woken.emit(function),
        lambda seconds, _: timer.start(_milliseconds(seconds)),
        frame=frame,
    )
    timer.timeout.connect(post._run_frame)
    owner.destroyed.connect(lambda *_: post.close())
    application = core.QCoreApplication.instance()
    if application is not None:
        application.aboutToQuit.connect(post.close)
    return post


@functools.cache
def _qt_waker(core: Any) -> Any:
    """A ``QObject`` whose signal carries a function to its own thread."""
    signal = getattr(core, "Signal", None) or core.pyqtSignal
    return type("Waker", (core.QObject,), {"woken": signal(object), "run": lambda self, function: function()})


def post_to_gtk(widget: Any = None, *, frame: float = FRAME) -> FramePost:
    """Return a ``post`` for the main loop of GLib, closed when the widget is destroyed, if one is given.

    Raises:
        ImportError: There is no PyGObject.
    """
    glib = importlib.import_module("gi.repository.GLib")
    post = FramePost(
        glib.idle_add, lambda seconds, function: glib.timeout_add(_milliseconds(seconds), function), frame=frame
    )
    if widget is not None:
        widget.connect("destroy", lambda *_: post.close())
    return post


def post_to_wx(window: Any = None, *, frame: float = FRAME) -> FramePost:
    """Return a ``post`` for the thread of the ``wx.App``, closed when the window is destroyed, if one is given.

    Raises:
        ImportError: There is no wxPython.
    """
    wx = importlib.import_module("wx")

    def destroyed(event: Any) -> None:
        event.Skip()
        # The event of a child comes by here as well. That of a frame has a new Python object, and ours is dead by then.
        if not window or event.GetEventObject() is window:
            post.close()

    post = FramePost(
        wx.CallAfter, lambda seconds, function: wx.CallLater(max(1, _milliseconds(seconds)), function), frame=frame
    )
    if window is not None:
        window.Bind(wx.EVT_WINDOW_DESTROY, destroyed)
    return post


def post_to_asyncio(loop: asyncio.AbstractEventLoop | None = None, *, frame: float = FRAME) -> FramePost:
    """Return a ``post`` for an event loop, the running one unless another is given. Close it before the loop ends.

    Raises:
        RuntimeError: No loop is given, and none is running.
    """
    if loop is None:
        loop = importlib.import_module("asyncio").get_running_loop()
    return FramePost(loop.call_soon_threadsafe, loop.call_later, frame=frame)


def _milliseconds(seconds: float) -> int:
    return math.ceil(seconds * 1000)  # never earlier than a frame
