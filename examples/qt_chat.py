"""Chat in a window of Qt: python examples/qt_chat.py [--demo | provider] [--model NAME] [--base-url URL]

Enter sends, Shift+Enter makes a new line, Escape stops. "--demo" needs no key. With PyQt6 only the imports change.
"""

import argparse
import sys
import threading
import time

from PySide6 import QtWidgets as qt
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor, QFont, QKeySequence, QPalette, QShortcut, QTextCharFormat, QTextCursor

from compatapi import ChatCompletion, ChatCompletionRequest, Client, CompatAPIError, Message, post_to_qt

STYLE = """
* { font-size: 14px; }
QTextEdit, QPlainTextEdit, QLineEdit { background: white; border: 1px solid #cfd4dd; border-radius: 6px; padding: 5px; }
QTextEdit:focus, QPlainTextEdit:focus, QLineEdit:focus { border-color: #1d5fd1; }
QPushButton { background: white; border: 1px solid #cfd4dd; border-radius: 6px; padding: 7px 20px; }
QPushButton#send { background: #1d5fd1; color: white; border: none; }
QPushButton#stop { color: #c8261f; }
QPushButton#send:disabled { background: #b6bfce; }
QPushButton#stop:disabled, QLabel#status { color: #8b93a1; }
"""
COLORS = {"you": "#1d5fd1", "reasoning": "#8b93a1", "note": "#8b93a1", "error": "#c8261f"}


class Prompt(qt.QPlainTextEdit):
    """Where the question is typed: Enter sends it."""

    def keyPressEvent(self, event) -> None:
        if event.text() == "\r" and event.modifiers() != Qt.KeyboardModifier.ShiftModifier:
            self.window().send()
        else:
            super().keyPressEvent(event)


class ChatWindow(qt.QWidget):
    """One conversation. Everything here runs in the thread of the window, but for `load_models`."""

    def __init__(self, client: Client, model: str) -> None:
        super().__init__(windowTitle=f"Chat with {client.provider.name}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)  # so that closing it ends the stream
        self.client, self.post = client, post_to_qt(self)
        self.messages: list[Message] = []
        self.handle = None
        self.build(model)
        self.timer = QTimer(self, interval=100, timeout=self.tick)
        threading.Thread(target=self.load_models, daemon=True).start()

    def build(self, model: str) -> None:
        self.setPalette(QPalette(QColor("#eef0f4")))
        self.setStyleSheet(STYLE)
        self.resize(780, 620)
        self.models = qt.QComboBox(editable=True, minimumWidth=210)
        self.models.addItems([model] if model else [])
        self.system, self.transcript = qt.QLineEdit(), qt.QTextEdit(readOnly=True)
        self.prompt = Prompt(placeholderText="Ask something", maximumHeight=88)
        self.transcript.document().setDocumentMargin(12)
        self.send_button = qt.QPushButton("Send", objectName="send", clicked=self.send)
        self.stop_button = qt.QPushButton("Stop", objectName="stop", clicked=self.stop, enabled=False)
        self.status, new_button = (
            qt.QLabel("Ready", objectName="status"),
            qt.QPushButton("New chat", clicked=self.clear),
        )
        QShortcut(QKeySequence("Escape"), self, self.stop)
        top, bottom, buttons, whole = qt.QHBoxLayout(), qt.QHBoxLayout(), qt.QVBoxLayout(), qt.QVBoxLayout(self)
        for widget in (qt.QLabel("Model"), self.models, qt.QLabel("System prompt"), self.system, new_button):
            top.addWidget(widget)
        buttons.addWidget(self.send_button)
        buttons.addWidget(self.stop_button)
        bottom.addWidget(self.prompt)
        bottom.addLayout(buttons)
        whole.addLayout(top)
        whole.addWidget(self.transcript, stretch=1)
        whole.addLayout(bottom)
        whole.addWidget(self.status)
        whole.setContentsMargins(14, 12, 14, 10)
        self.prompt.setFocus()

    def load_models(self) -> None:
        """Runs in a thread of its own; what it finds is posted like the pieces of an answer."""
        try:
            self.post(self.models.addItems, [model.id for model in self.client.models()])
        except CompatAPIError as error:
            self.post(self.status.setText, f"No list of models: {error}")

    def send(self) -> None:
        text, model, system = self.prompt.toPlainText().strip(), self.models.currentText(), self.system.text().strip()
        if not text or self.handle is not None:
            return
        self.prompt.clear()
        self.messages.append(Message.user(text))
        for shown, tag in (("You\n", "you"), (f"{text}\n", "text"), (f"{model}\n", "model")):
            self.show_text(shown, tag)
        self.began, self.spoke, self.shown = time.monotonic(), None, {"reasoning": 0, "text": 0}
        messages = [Message.system(system), *self.messages] if system else self.messages
        try:
            self.handle = self.client.start_stream(
                ChatCompletionRequest(model, messages),
                on_reasoning=lambda piece: self.show_piece(piece, "reasoning"),
                on_text=lambda piece: self.show_piece(piece, "text"),
                on_retry=lambda event: self.show_text(f"{event.error} Trying again.\n", "note"),
                on_done=lambda completion: self.end(completion, ""),
                on_cancelled=lambda completion: self.end(completion, "Stopped."),
                on_error=lambda error: self.end(self.handle.completion, str(error), "error"),
                post=self.post,
            )
        except CompatAPIError as error:  # a request that cannot be sent
            self.end(ChatCompletion(), str(error), "error")
        else:
            self.set_running(True)

    def set_running(self, is_running: bool) -> None:
        self.send_button.setDisabled(is_running)
        self.stop_button.setEnabled(is_running)
        self.timer.start() if is_running else self.timer.stop()

    def stop(self) -> None:
        if self.handle is not None:
            self.handle.cancel()

    def show_text(self, text: str, tag: str = "text") -> None:
        bar, look = self.transcript.verticalScrollBar(), QTextCharFormat()
        is_at_end = bar.value() >= bar.maximum() - 4  # who scrolled up to read is left there
        look.setForeground(QColor(COLORS.get(tag, "#1f2937")))
        look.setFontWeight(QFont.Weight.Bold if tag in ("you", "model") else QFont.Weight.Normal)
        look.setFontItalic(tag == "reasoning")
        cursor = QTextCursor(self.transcript.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text, look)
        if is_at_end:
            bar.setValue(bar.maximum())

    def show_piece(self, piece: str, kind: str) -> None:
        self.spoke = self.spoke or time.monotonic()
        is_first_text = kind == "text" and not self.shown["text"]
        self.show_text("\n" if is_first_text and self.shown["reasoning"] else "")
        self.show_text(piece, kind)
        self.shown[kind] += len(piece)

    def tick(self, usage=None) -> None:
        """Say how it goes, ten times a second while an answer runs; above all that one waits."""
        now = time.monotonic()
        seconds = max(0.1, now - (self.spoke or now))
        if self.spoke is None:
            self.status.setText(f"Waiting, {now - self.began:.0f} s" if self.handle else "Ready")
        elif usage is not None:
            tokens = usage.completion_tokens or 0
            self.status.setText(f"{tokens} tokens, {tokens / seconds:.0f} per second")
        else:  # a token is about four letters
            self.status.setText(f"About {sum(self.shown.values()) / 4 / seconds:.0f} tokens per second")

    def end(self, completion: ChatCompletion, note: str, tag: str = "note") -> None:
        self.handle = None
        self.set_running(False)
        if rest := completion.text[self.shown["text"] :]:  # what came while Stop was pressed
            self.show_piece(rest, "text")
        self.show_text("\n" if self.spoke else "")
        self.show_text(f"{note}\n\n" if note else "\n", tag)
        if completion.text:
            self.messages.append(Message.assistant(completion.text))
        else:  # nothing was said, so the question may be asked again
            self.prompt.insertPlainText(self.messages.pop().text)
        self.tick(completion.usage)

    def clear(self) -> None:
        if self.handle is None:
            self.messages.clear()
            self.transcript.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description="Chat in a window of Qt.")
    parser.add_argument("provider", nargs="?", help="see: compatapi providers")
    parser.add_argument("--demo", action="store_true", help="talk to the demo inside the library, without a key")
    parser.add_argument("--model", default="", help="the model to begin with")
    parser.add_argument("--base-url", help="the address of any compatible server")
    given = parser.parse_args()
    try:
        client = Client("demo" if given.demo else given.provider, base_url=given.base_url)
    except CompatAPIError as error:
        sys.exit(f"{error}\nWithout a key: python examples/qt_chat.py --demo")
    application = qt.QApplication(sys.argv[:1])
    application.setStyle("Fusion")
    window = ChatWindow(client, given.model)
    window.show()
    sys.exit(application.exec())


if __name__ == "__main__":
    main()
