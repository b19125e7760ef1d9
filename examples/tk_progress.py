"""One callback, one progress bar: python examples/tk_progress.py [provider model]"""

import sys
import tkinter
from tkinter import ttk

from compatapi import ChatCompletionRequest, Client, Message, post_to_tk

provider, model = sys.argv[1:] or ("demo", "demo-story")
root = tkinter.Tk()
bar = ttk.Progressbar(root, length=400, maximum=1500)  # characters
bar.pack(padx=30, pady=30)
request = ChatCompletionRequest(model, [Message.user("Tell me a story")])
Client(provider).start_stream(
    request,
    on_text=lambda text: bar.step(len(text)),
    on_done=lambda answer: (print(answer.text), root.destroy()),
    on_error=lambda error: (print(error, file=sys.stderr), root.destroy()),
    post=post_to_tk(root),
)
root.mainloop()
