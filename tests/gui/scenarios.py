"""What people do at a window, for any toolkit: generators that yield a condition wherever they wait for one.

Each gets the window (its hands and eyes), its heartbeat, and a dict for notes, which the test reads.
"""

import os
import time


def whole(ui, heart, notes):
    """Ask with the Enter key, see the text grow, see the end."""
    yield lambda: ui.models()
    notes["models"] = ui.models()
    ui.type("Tell me a story\n")
    notes["sizes"] = sizes = []
    notes["enabled"] = [ui.enabled("Send"), ui.enabled("Stop"), ui.prompt()]
    heart.restart()
    while not ui.enabled("Send"):
        size = len(ui.text())
        if not sizes or size > sizes[-1]:
            sizes.append(size)
        yield lambda: True
    notes |= {"text": ui.text(), "labels": ui.labels(), "worst": heart.worst}
    ui.close()


def conversation(ui, heart, notes):
    """Two questions with a system prompt, sent with the button; the model reasons."""
    yield lambda: ui.models()
    ui.choose("demo-reasoner")
    ui.set_system("Be brief.")
    for question in ("Write a poem", "Hello"):
        ui.type(question)
        ui.press("Send")
        yield lambda: not ui.enabled("Send")
        yield lambda: ui.enabled("Send")
    notes |= {"text": ui.text(), "reasoning": ui.look("greeting"), "answer": ui.look("Small packets")}
    ui.press("New chat")
    notes["cleared"] = ui.text()
    ui.close()


def stop(ui, heart, notes):
    """Stop in mid-answer, then go on with the conversation."""
    yield lambda: ui.models()
    ui.type("Tell me a story")
    ui.press("Send")
    yield lambda: len(ui.text()) > 120
    heart.restart()
    before, pressed = ui.text(), time.monotonic()
    ui.press("Stop")
    yield lambda: ui.enabled("Send")
    notes |= {"seconds": time.monotonic() - pressed, "before": before, "text": ui.text(), "worst": heart.worst}
    still = time.monotonic() + 0.3
    yield lambda: time.monotonic() > still
    notes["later"] = ui.text()
    ui.type("Hello\n")
    yield lambda: "I am the demo" in ui.text()
    ui.close()


def stall(ui, heart, notes):
    """Wait for a server that says nothing more, in a window that is alive; then stop."""
    ui.type("Hello\n")
    yield lambda: "Hi there" in ui.text() or "Waiting" in "".join(ui.labels())
    heart.restart()
    began = time.monotonic()
    yield lambda: time.monotonic() > began + 0.5
    notes |= {"labels": ui.labels(), "worst": heart.worst, "beats": heart.beats}
    pressed = time.monotonic()
    ui.press("Stop")
    yield lambda: ui.enabled("Send")
    notes |= {"seconds": time.monotonic() - pressed, "text": ui.text(), "prompt": ui.prompt()}
    ui.close()


def fail(ui, heart, notes):
    """Ask a server that answers with an error."""
    ui.type("Hello\n")
    yield lambda: not ui.enabled("Send") or "failed" in ui.text()
    yield lambda: ui.enabled("Send")
    notes |= {"text": ui.text(), "prompt": ui.prompt(), "labels": ui.labels()}
    ui.close()


def leave(ui, heart, notes):
    """Close the window in mid-answer."""
    ui.type("Tell me a story\n")
    yield lambda: len(ui.text()) > 120
    ui.close()


def leave_early(ui, heart, notes):
    """Close the window while the server has not said anything."""
    ui.type("Hello\n")
    began = time.monotonic()
    yield lambda: time.monotonic() > began + 0.3
    ui.close()


def flood(ui, heart, notes):
    """See text come in faster than anybody reads, for more than a second."""
    ui.type("Go on\n")
    yield lambda: "word" in ui.text()
    heart.restart()
    began = time.monotonic()
    yield lambda: time.monotonic() > began + 1.5
    notes |= {"worst": heart.worst, "pieces": ui.text().count("word")}
    ui.close()


def watch(ui, heart, notes):
    """See a progress bar move until the program ends by itself."""
    notes["steps"] = steps = []
    while True:
        steps.append(ui.progress())
        yield lambda: ui.progress() != steps[-1]


def picture_answer(ui, heart, notes):
    """A picture while an answer runs, behind an earlier one with reasoning."""
    yield lambda: ui.models()
    ui.choose("demo-reasoner")
    ui.set_system("Be brief.")
    ui.type("Write a poem\n")
    yield lambda: ui.enabled("Send")
    ui.type("Tell me a story\n")
    yield lambda: "Piece by piece" in ui.text()
    ui.picture(os.environ["PICTURE"])
    ui.close()


def picture_error(ui, heart, notes):
    """A picture of an answer that broke off."""
    yield lambda: ui.models()
    ui.type("Write a poem\n")
    yield lambda: ui.enabled("Send")
    ui.choose("demo-error-stream")
    ui.type("Tell me a story\n")
    yield lambda: ui.enabled("Send")
    ui.picture(os.environ["PICTURE"])
    ui.close()


def picture_progress(ui, heart, notes):
    """A picture of a progress bar."""
    yield lambda: ui.progress() > 800
    ui.picture(os.environ["PICTURE"])
    ui.close()
