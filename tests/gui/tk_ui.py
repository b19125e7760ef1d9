"""Hands and eyes for a program in Tk: keys and clicks as events of the widgets, and what the widgets show."""

import os
import tkinter
from tkinter import ttk

KEYSYMS = {" ": "space", ".": "period", ",": "comma", "?": "question", "!": "exclam", "\n": "Return"}


class UI:
    """The window whose main loop runs."""

    def __init__(self, root):
        self.root = root

    @staticmethod
    def hook(player):
        """Have a player begin with the main loop."""
        mainloop = tkinter.Misc.mainloop

        def hooked(root, n=0):
            root.report_callback_exception = player.note_error
            player.begin(UI(root))
            mainloop(root, n)

        tkinter.Misc.mainloop = hooked

    def every(self, seconds, function):
        """Call a function again and again until it returns False."""
        self.function, self.milliseconds = function, int(seconds * 1000)
        self.planned = self.root.after(self.milliseconds, self._again)
        self.root.bind("<Destroy>", self._destroyed, add="+")

    def _again(self):
        self.planned = None
        if self.function() and self.planned is None:
            try:
                self.planned = self.root.after(self.milliseconds, self._again)
            except tkinter.TclError:  # the scenario has closed the window
                self.planned = None

    def _destroyed(self, event):
        if event.widget is self.root and self.planned:
            self.root.after_cancel(self.planned)

    def _all(self, kind, widget=None):
        for child in (widget or self.root).winfo_children():
            if isinstance(child, kind):
                yield child
            yield from self._all(kind, child)

    def _texts(self):
        prompt, transcript = sorted(self._all(tkinter.Text), key=lambda text: str(text["state"]) == "disabled")
        return prompt, transcript

    def _button(self, label):
        return next(button for button in self._all(ttk.Button) if button["text"] == label)

    def type(self, text):
        """Type into the prompt."""
        prompt = self._texts()[0]
        prompt.focus_force()
        prompt.update()
        for letter in text:
            prompt.event_generate("<KeyPress>", keysym=KEYSYMS.get(letter, letter))
            if self.root.children:  # a key may end the program
                prompt.event_generate("<KeyRelease>", keysym=KEYSYMS.get(letter, letter))

    def press(self, label):
        """Click on a button."""
        button = self._button(label)
        place = {"x": button.winfo_width() // 2, "y": button.winfo_height() // 2}
        for event in ("<Enter>", "<ButtonPress-1>", "<ButtonRelease-1>"):
            button.event_generate(event, **place)

    def text(self):
        """What the transcript shows."""
        return self._texts()[1].get("1.0", "end-1c")

    def prompt(self):
        """What stands in the prompt."""
        return self._texts()[0].get("1.0", "end-1c")

    def look(self, part):
        """The colors and slants in which a part of the transcript is shown."""
        transcript = self._texts()[1]
        place = transcript.search(part, "1.0")
        tag = transcript.tag_names(place)[-1]
        slant = tkinter.font.Font(font=transcript.tag_cget(tag, "font")).actual("slant")
        return {"color": transcript.tag_cget(tag, "foreground"), "italic": slant == "italic"}

    def labels(self):
        """What the labels say."""
        return [str(label["text"]) for label in self._all(ttk.Label)]

    def enabled(self, label):
        """Whether a button can be pressed."""
        return "disabled" not in self._button(label).state()

    def models(self):
        """The models to choose from."""
        return list(next(self._all(ttk.Combobox))["values"])

    def choose(self, model):
        """Choose a model."""
        next(self._all(ttk.Combobox)).set(model)

    def set_system(self, text):
        """Fill in the system prompt."""
        entry = next(entry for entry in self._all(ttk.Entry) if not isinstance(entry, ttk.Combobox))
        entry.delete(0, "end")
        entry.insert(0, text)

    def progress(self):
        """How far the progress bar is."""
        return float(next(self._all(ttk.Progressbar))["value"])

    def close(self):
        """What the window manager's button does."""
        self.root.tk.call(self.root.protocol("WM_DELETE_WINDOW"))

    def give_up(self):
        """End the program whatever it does."""
        self.root.destroy()

    def picture(self, path):
        """Save a picture of the window."""
        from PIL import ImageGrab

        self.root.update()
        x, y = self.root.winfo_rootx(), self.root.winfo_rooty()
        box = (x, y, x + self.root.winfo_width(), y + self.root.winfo_height())
        ImageGrab.grab(box, xdisplay=os.environ["DISPLAY"]).save(path)
