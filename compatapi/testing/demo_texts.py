"""What the demo says. Short Markdown that reads well in a terminal; all of it written for it."""

from __future__ import annotations

STORY = """\
# The lamp that learned to wait

At the end of a long pier stood a small lamp. Every night it called across the water, *where are \
you?*, and every night it was cross, because the answer took so long.

"You ask, and then you hold your breath until the whole ship is here," said the tide. "No wonder \
that you are tired. Ships do not arrive all at once."

"How else would they arrive?" asked the lamp.

"Piece by piece. Look."

So the lamp looked. First there was only a spark, low on the horizon. Then a second one, green. \
Then the thin line of a mast, the hush of water along a hull, a smell of tar and oranges. Somebody \
laughed on deck. Somebody threw a rope. And there, still dripping, lay the ship.

Nothing had come sooner than before. But the lamp had not waited for a moment: it had been \
*watching*, the whole time, and had already told the harbor what to make ready.

From then on it took every night as it came, one small light after the other. And if a ship turned \
back in the middle of the bay, the lamp said so honestly, and kept what it had seen.

**The end.**"""

POEM = """\
**Small packets**

A word sets out, and then a word,
no bigger than a sparrow,
across a wire that no one heard,
as straight as any arrow.

The first is here before the last
has made up where it's going;
who reads along is just as fast
as someone who is knowing."""

HELLO = """\
Hello! I am the demo that is built into compatapi. There is no model behind me, but the way my \
words reach you is the real one: HTTP, server-sent events, chunk by chunk.

Ask me for a **story** or a **poem**, or say **help** to see what else I can do."""

HELP = """\
# What the demo can do

I am a small server inside compatapi. I listen on your own machine only, need no key, and speak \
the wire format of OpenAI.

- **Tell me a story**: a longer answer, streamed
- **Write a poem**: a shorter one
- **anything else**: I repeat what you said
- `reasoning_effort`, or the model `demo-reasoner`: I think aloud first
- `tools` in the request: I call the first one, and use what it gives back
- `response_format` with a JSON schema: I answer with JSON of that shape
- `max_tokens`: I stop there
- the model `demo-error-429` (or another status): I refuse with that error
- the models `demo-error-stream` and `demo-error-cut`: I break down in the middle"""

ECHO = """\
You said:

> {prompt}

I am the built-in demo of compatapi and have no model behind me, so I can only repeat it. Ask me \
for a **story** or a **poem**, or say **help**."""

SILENCE = """\
There is nothing in your message that I can read. I am the built-in demo of compatapi: ask me for \
a **story** or a **poem**, or say **help**."""

TOOL_RESULT = """\
I asked the tool, and this is what came back:

{results}

That is all the built-in demo can make of it; a real model would now put it in its own words."""

REASONING = """\
The user wants {wish}. I am a demo, so there is not much to weigh up: I look for a word that I \
know, find {found}, and take the text that belongs to it. That should do."""
