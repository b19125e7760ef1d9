"""The wire types of messages: their parts, tools and tool calls, and the messages themselves. What is sent is frozen.

Schemas ChatCompletionRequestMessage, ChatCompletionTool and ChatCompletionMessageToolCall of the OpenAI API reference.
"""

from __future__ import annotations

import base64
import json
import mimetypes
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from attrs import field, frozen

from compatapi.wire import WireType

__all__ = [
    "Annotation",
    "Audio",
    "AudioPart",
    "Content",
    "ContentPart",
    "CustomCall",
    "FileData",
    "FilePart",
    "FunctionCall",
    "FunctionDefinition",
    "ImagePart",
    "ImageURL",
    "InputAudio",
    "Message",
    "RefusalPart",
    "TextPart",
    "Tool",
    "ToolCall",
    "URLCitation",
    "as_content",
]


# --- parts of a message ---------------------------------------------------------------------------------------------


@frozen(eq=False, repr=False)
class ContentPart(WireType):
    """One part of a message's content; this class itself stands for types that have no class of their own."""

    type: str


@frozen(eq=False, repr=False)
class TextPart(ContentPart):
    """Text."""

    text: str
    type: str = "text"


@frozen(eq=False, repr=False)
class RefusalPart(ContentPart):
    """A refusal of the assistant, in a conversation that is sent back."""

    refusal: str
    type: str = "refusal"


@frozen(eq=False, repr=False)
class ImageURL(WireType):
    """Where an image is (a web address or a ``data:`` URL), and how closely to look: auto, low or high."""

    url: str
    detail: str | None = None


@frozen(eq=False, repr=False)
class ImagePart(ContentPart):
    """An image."""

    image_url: ImageURL
    type: str = "image_url"

    @classmethod
    def from_url(cls, url: str, *, detail: str | None = None) -> ImagePart:
        """An image by its web address or ``data:`` URL."""
        return cls(ImageURL(url, detail))

    @classmethod
    def from_path(cls, path: str | PathLike[str], *, detail: str | None = None) -> ImagePart:
        """A local image file, read now and sent inside the request. Raises OSError when it cannot be read."""
        return cls(ImageURL(_data_url(Path(path)), detail))


@frozen(eq=False, repr=False)
class InputAudio(WireType):
    """Sound: base64 text, and its format (wav or mp3)."""

    data: str
    format: str


@frozen(eq=False, repr=False)
class AudioPart(ContentPart):
    """Sound for the model to hear."""

    input_audio: InputAudio
    type: str = "input_audio"

    @classmethod
    def from_path(cls, path: str | PathLike[str], *, format: str | None = None) -> AudioPart:
        """A local sound file, read now; the format is told from the file's ending unless given."""
        path = Path(path)
        return cls(InputAudio(_base64(path), format or path.suffix.lstrip(".").lower()))


@frozen(eq=False, repr=False)
class FileData(WireType):
    """A file: the id of an uploaded one, or a ``data:`` URL with its name."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


@frozen(eq=False, repr=False)
class FilePart(ContentPart):
    """A file, such as a PDF document."""

    file: FileData
    type: str = "file"

    @classmethod
    def from_id(cls, file_id: str) -> FilePart:
        """A file that was uploaded before."""
        return cls(FileData(file_id=file_id))

    @classmethod
    def from_path(cls, path: str | PathLike[str]) -> FilePart:
        """A local file, read now and sent inside the request. Raises OSError when it cannot be read."""
        path = Path(path)
        return cls(FileData(file_data=_data_url(path), filename=path.name))


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _data_url(path: Path) -> str:
    # WebP is not among the types that Python knows by itself before 3.13.
    guess = mimetypes.guess_type(path.name)[0] or {".webp": "image/webp"}.get(path.suffix.lower())
    media_type = guess or "application/octet-stream"
    return f"data:{media_type};base64,{_base64(path)}"


Content: TypeAlias = str | tuple[ContentPart | dict[str, Any], ...]


def as_content(value: str | Iterable[str | ContentPart | Mapping[str, Any]] | None) -> Content | None:
    """The content of a message, however it was given: a tuple of parts, text, or nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, ContentPart | Mapping):
        value = (value,)
    return tuple(_part(part) for part in value)


def _part(part: str | ContentPart | Mapping[str, Any]) -> ContentPart | dict[str, Any]:
    if isinstance(part, str):
        return TextPart(part)
    return part if isinstance(part, ContentPart) else dict(part)


# --- tools ----------------------------------------------------------------------------------------------------------


@frozen(eq=False, repr=False)
class FunctionDefinition(WireType):
    """A function the model may call; ``parameters`` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


@frozen(eq=False, repr=False)
class Tool(WireType):
    """A tool the model may use: a function, or a custom tool that takes free text."""

    function: FunctionDefinition | None = None
    type: str = "function"
    custom: dict[str, Any] | None = field(default=None, kw_only=True)

    @classmethod
    def from_schema(
        cls,
        name: str,
        description: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        strict: bool | None = None,
    ) -> Tool:
        """A function by its name, what it does, and the JSON schema of its arguments."""
        schema = None if parameters is None else dict(parameters)
        return cls(FunctionDefinition(name, description, schema, strict))


@frozen(eq=False, repr=False)
class FunctionCall(WireType):
    """A function's name and its arguments: JSON text, exactly as the model wrote it."""

    name: str
    arguments: str = ""


@frozen(eq=False, repr=False)
class CustomCall(WireType):
    """The call of a custom tool, with free text as its input."""

    name: str
    input: str = ""


@frozen(eq=False, repr=False)
class ToolCall(WireType):
    """A call that the model asks for; answer it with `Message.tool` and its id."""

    id: str
    function: FunctionCall | None = None
    type: str = "function"
    custom: CustomCall | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str:
        """The name of the function or custom tool."""
        call = self.function or self.custom
        return call.name if call else ""

    @property
    def arguments(self) -> str:
        """The arguments as the text that the model wrote; see `parse_arguments`."""
        if self.custom is not None:
            return self.custom.input
        return self.function.arguments if self.function else ""

    def parse_arguments(self) -> dict[str, Any]:
        """The arguments as a dict; empty text means no arguments.

        Raises:
            ValueError: The model wrote something that is no JSON object.
        """
        try:
            value = json.loads(self.arguments) if self.arguments.strip() else {}
        except RecursionError as error:
            raise ValueError(f"the arguments of {self.name!r} are nested too deeply") from error
        if not isinstance(value, dict):
            raise ValueError(f"the arguments of {self.name!r} are no JSON object: {self.arguments[:80]}")
        return value


def _tool_calls(calls: Iterable[ToolCall | dict[str, Any]] | None) -> tuple[ToolCall | dict[str, Any], ...] | None:
    return None if calls is None else tuple(calls)


# --- messages -------------------------------------------------------------------------------------------------------


@frozen(eq=False, repr=False)
class URLCitation(WireType):
    """A web page that a stretch of the text (character offsets) rests on."""

    url: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


@frozen(eq=False, repr=False)
class Annotation(WireType):
    """A note of the server on the text, such as a citation."""

    type: str | None = None
    url_citation: URLCitation | None = None


@frozen(eq=False, repr=False)
class Audio(WireType):
    """A spoken answer: base64 sound and its transcript. ``expires_at`` is a Unix time in seconds."""

    id: str | None = None
    data: str | None = None
    expires_at: int | None = None
    transcript: str | None = None


def _annotations(annotations: Iterable[Annotation] | None) -> tuple[Annotation, ...] | None:
    return None if annotations is None else tuple(annotations)


@frozen(eq=False, repr=False)
class Message(WireType):
    """One turn of a conversation, to be sent or as it was received.

    `user`, `system`, `developer`, `assistant` and `tool` make one for each role.
    """

    role: str
    content: Content | None = field(default=None, converter=as_content)
    name: str | None = field(default=None, kw_only=True)
    reasoning_content: str | None = field(default=None, kw_only=True)
    refusal: str | None = field(default=None, kw_only=True)
    tool_calls: tuple[ToolCall | dict[str, Any], ...] | None = field(default=None, kw_only=True, converter=_tool_calls)
    tool_call_id: str | None = field(default=None, kw_only=True)
    audio: Audio | None = field(default=None, kw_only=True)
    annotations: tuple[Annotation, ...] | None = field(default=None, kw_only=True, converter=_annotations)
    function_call: FunctionCall | None = field(default=None, kw_only=True)

    @classmethod
    def user(
        cls, content: str | Iterable[str | ContentPart | Mapping[str, Any]], *, name: str | None = None
    ) -> Message:
        """What the user says: text, or parts such as `ImagePart` (a plain string among them is a text part)."""
        return cls("user", content, name=name)

    @classmethod
    def system(
        cls, content: str | Iterable[str | ContentPart | Mapping[str, Any]], *, name: str | None = None
    ) -> Message:
        """How the model is to behave."""
        return cls("system", content, name=name)

    @classmethod
    def developer(
        cls, content: str | Iterable[str | ContentPart | Mapping[str, Any]], *, name: str | None = None
    ) -> Message:
        """The same as `system` for newer OpenAI models; sent as ``system`` to hosts that do not know the role."""
        return cls("developer", content, name=name)

    @classmethod
    def assistant(
        cls,
        content: str | Iterable[str | ContentPart | Mapping[str, Any]] | None = None,
        *,
        tool_calls: Iterable[ToolCall | dict[str, Any]] | None = None,
        reasoning_content: str | None = None,
        refusal: str | None = None,
        name: str | None = None,
    ) -> Message:
        """What the model said before."""
        return cls(
            "assistant",
            content,
            name=name,
            reasoning_content=reasoning_content,
            refusal=refusal,
            tool_calls=tool_calls,
        )

    @classmethod
    def tool(cls, content: str | Iterable[str | ContentPart | Mapping[str, Any]], tool_call_id: str) -> Message:
        """The result of a tool call, for the call with that id."""
        return cls("tool", content, tool_call_id=tool_call_id)

    @property
    def text(self) -> str:
        """The text of the content; empty when there is none."""
        content = self.content
        if content is None or isinstance(content, str):
            return content or ""
        return "".join(part.text if isinstance(part, TextPart) else _dict_text(part) for part in content)


def _dict_text(part: ContentPart | dict[str, Any]) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""
