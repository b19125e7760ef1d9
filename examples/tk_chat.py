"""Chat in a window of Tk: python examples/tk_chat.py [--demo | provider] [--model NAME] [--base-url URL]

Enter sends, Shift+Enter makes a new line, Escape stops. "--demo" needs no key.
"""

import argparse
import sys
import threading
import time
import tkinter as tk
from tkinter import font, ttk

from compatapi import ChatCompletion, ChatCompletionRequest, Client, CompatAPIError, Message, post_to_tk

INK, DIM, RED, BLUE = "#1f2937", "#8b93a1", "#c8261f", "#1d5fd1"
PAPER, FRAME, LINE = "#ffffff", "#eef0f4", "#cfd4dd"


class ChatWindow:
    """One conversation. Everything here runs in the thread of the window, but for `load_models`."""

    def __init__(self, root: tk.Tk, client: Client, model: str) -> None:
        self.root, self.client, self.post = root, client, post_to_tk(root)
        self.messages: list[Message] = []
        self.handle = None
        self.model, self.system = tk.StringVar(value=model), tk.StringVar()
        self.status = tk.StringVar(value="Ready")
        self.build()
        threading.Thread(target=self.load_models, daemon=True).start()

    def build(self) -> None:
        root, style = self.root, ttk.Style()
        root.title(f"Chat with {self.client.provider.name}")
        root.geometry("780x620")
        root.configure(background=FRAME)
        style.theme_use("clam")
        style.configure(".", background=FRAME, foreground=INK, bordercolor=LINE, lightcolor=FRAME, darkcolor=FRAME)
        style.configure("TCombobox", padding=5, arrowsize=14)
        style.configure("TEntry", padding=5)
        style.configure("TButton", background=PAPER, padding=(12, 6))
        style.configure("Send.TButton", background=BLUE, foreground=PAPER, bordercolor=BLUE)
        style.configure("Stop.TButton", foreground=RED)
        style.map("TButton", background=[("disabled", FRAME), ("active", FRAME)], foreground=[("disabled", DIM)])
        style.map("Send.TButton", background=[("disabled", DIM), ("active", INK)], foreground=[("disabled", PAPER)])

        top, bottom = ttk.Frame(root, padding=(14, 12, 14, 8)), ttk.Frame(root, padding=(14, 10, 14, 6))
        middle, buttons = ttk.Frame(root, padding=(14, 0)), ttk.Frame(bottom, padding=(10, 0, 0, 0))
        status = ttk.Label(root, textvariable=self.status, foreground=DIM, padding=(14, 0, 14, 8))
        ttk.Label(top, text="Model").pack(side="left")
        self.models = ttk.Combobox(top, textvariable=self.model, width=24)
        self.models.pack(side="left", padx=(6, 16))
        ttk.Label(top, text="System prompt").pack(side="left")
        ttk.Entry(top, textvariable=self.system).pack(side="left", padx=(6, 16), fill="x", expand=True)
        ttk.Button(top, text="New chat", command=self.clear).pack(side="right")

        look = {"background": PAPER, "foreground": INK, "relief": "flat", "wrap": "word", "font": "TkTextFont"}
        look |= {"highlightthickness": 1, "highlightbackground": LINE, "highlightcolor": BLUE, "width": 1}
        self.transcript = tk.Text(middle, padx=18, pady=12, spacing2=3, spacing3=4, state="disabled", **look)
        scroll = ttk.Scrollbar(middle, command=self.transcript.yview)
        self.transcript.configure(yscrollcommand=scroll.set)
        scroll.pack(side="right", fill="y")
        self.transcript.pack(fill="both", expand=True)
        text = font.nametofont("TkTextFont").actual()
        bold, italic = font.Font(**{**text, "weight": "bold"}), font.Font(**{**text, "slant": "italic"})
        self.transcript.tag_configure("you", foreground=BLUE, font=bold, spacing1=10)
        self.transcript.tag_configure("model", font=bold, spacing1=10)
        self.transcript.tag_configure("reasoning", foreground=DIM, font=italic, lmargin1=14, lmargin2=14)
        self.transcript.tag_configure("note", foreground=DIM)
        self.transcript.tag_configure("error", foreground=RED)
        self.send_button = ttk.Button(buttons, text="Send", style="Send.TButton", command=self.send)
        self.stop_button = ttk.Button(buttons, text="Stop", style="Stop.TButton", command=self.stop, state="disabled")
        self.send_button.pack(fill="x", pady=(0, 6))
        self.stop_button.pack(fill="x")
        buttons.pack(side="right", fill="y")
        self.prompt = tk.Text(bottom, height=3, padx=10, pady=8, undo=True, **look)
        self.prompt.pack(side="left", fill="both", expand=True)
        top.pack(fill="x")
        status.pack(side="bottom", fill="x")
        bottom.pack(side="bottom", fill="x")
        middle.pack(fill="both", expand=True)

        self.prompt.bind("<Return>", self.send)
        self.prompt.bind("<Shift-Return>", lambda event: None)  # the newline that Tk makes of it
        root.bind("<Escape>", lambda event: self.stop())
        self.prompt.focus_set()

    def load_models(self) -> None:
        """Runs in a thread of its own; what it finds is posted like the pieces of an answer."""
        try:
            self.post(self.show_models, [model.id for model in self.client.models()])
        except CompatAPIError as error:
            self.post(self.status.set, f"No list of models: {error}")

    def show_models(self, names: list[str]) -> None:
        self.models["values"] = names
        self.model.set(self.model.get() or (names or [""])[0])

    def send(self, event: object = None) -> str:
        text = self.prompt.get("1.0", "end").strip()
        if text and self.handle is None:
            self.prompt.delete("1.0", "end")
            self.ask(text)
        return "break"  # else Tk adds a newline

    def ask(self, text: str) -> None:
        self.messages.append(Message.user(text))
        for shown, tag in (("You\n", "you"), (f"{text}\n", "text"), (f"{self.model.get()}\n", "model")):
            self.show(shown, tag)
        self.began, self.spoke, self.shown = time.monotonic(), None, {"reasoning": 0, "text": 0}
        system = self.system.get().strip()
        messages = [Message.system(system), *self.messages] if system else self.messages
        try:
            self.handle = self.client.start_stream(
                ChatCompletionRequest(self.model.get(), messages),
                on_reasoning=lambda piece: self.show_piece(piece, "reasoning"),
                on_text=lambda piece: self.show_piece(piece, "text"),
                on_retry=lambda event: self.show(f"{event.error} Trying again.\n", "note"),
                on_done=lambda completion: self.end(completion, ""),
                on_cancelled=lambda completion: self.end(completion, "Stopped."),
                on_error=lambda error: self.end(self.handle.completion, str(error), "error"),
                post=self.post,
            )
        except CompatAPIError as error:  # a request that cannot be sent
            self.end(ChatCompletion(), str(error), "error")
        else:
            self.send_button["state"], self.stop_button["state"] = "disabled", "normal"
            self.tick()

    def stop(self) -> None:
        if self.handle is not None:
            self.handle.cancel()

    def show(self, text: str, tag: str = "text") -> None:
        is_at_end = self.transcript.yview()[1] > 0.99  # who scrolled up to read is left there
        self.transcript["state"] = "normal"
        self.transcript.insert("end", text, tag)
        self.transcript["state"] = "disabled"
        if is_at_end:
            self.transcript.see("end")

    def show_piece(self, piece: str, kind: str) -> None:
        self.spoke = self.spoke or time.monotonic()
        is_first_text = kind == "text" and not self.shown["text"]
        self.show("\n" if is_first_text and self.shown["reasoning"] else "")
        self.show(piece, kind)
        self.shown[kind] += len(piece)

    def tick(self, usage=None) -> None:
        """Say how it goes, ten times a second while an answer runs; above all that one waits."""
        now = time.monotonic()
        seconds = max(0.1, now - (self.spoke or now))
        if self.spoke is None:
            self.status.set(f"Waiting, {now - self.began:.0f} s" if self.handle else "Ready")
        elif usage is not None:
            tokens = usage.completion_tokens or 0
            self.status.set(f"{tokens} tokens, {tokens / seconds:.0f} per second")
        else:  # a token is about four letters
            self.status.set(f"About {sum(self.shown.values()) / 4 / seconds:.0f} tokens per second")
        if self.handle is not None:
            self.root.after(100, self.tick)

    def end(self, completion: ChatCompletion, note: str, tag: str = "note") -> None:
        self.handle = None
        self.send_button["state"], self.stop_button["state"] = "normal", "disabled"
        if rest := completion.text[self.shown["text"] :]:  # what came while Stop was pressed
            self.show_piece(rest, "text")
        self.show("\n" if self.spoke else "")
        self.show(f"{note}\n" if note else "", tag)
        if completion.text:
            self.messages.append(Message.assistant(completion.text))
        else:  # nothing was said, so the question may be asked again
            self.prompt.insert("1.0", self.messages.pop().text)
        self.tick(completion.usage)

    def clear(self) -> None:
        if self.handle is None:
            self.messages.clear()
            self.transcript["state"] = "normal"
            self.transcript.delete("1.0", "end")
            self.transcript["state"] = "disabled"


def main() -> None:
    parser = argparse.ArgumentParser(description="Chat in a window of Tk.")
    parser.add_argument("provider", nargs="?", help="see: compatapi providers")
    parser.add_argument("--demo", action="store_true", help="talk to the demo inside the library, without a key")
    parser.add_argument("--model", default="", help="the model to begin with")
    parser.add_argument("--base-url", help="the address of any compatible server")
    given = parser.parse_args()
    try:
        client = Client("demo" if given.demo else given.provider, base_url=given.base_url)
    except CompatAPIError as error:
        sys.exit(f"{error}\nWithout a key: python examples/tk_chat.py --demo")
    ChatWindow(tk.Tk(), client, given.model).root.mainloop()


if __name__ == "__main__":
    main()
