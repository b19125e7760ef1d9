"""The wire types of chat completions: what is sent is frozen, what is received has plain slots.

One class for each JSON object of the OpenAI API reference (schemas CreateChatCompletionRequest, -Response and
-StreamResponse), with the names of the wire as attribute names. ``None`` means "not there" and is not written; an
explicit ``False``, ``0``, ``""`` or ``[]`` is. Fields that a class does not know are kept in `extra` and written back.
Open sets (roles, finish reasons) are plain strings, because a server may say something new.
"""

from __future__ import annotations

import base64
import json
import mimetypes
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from attrs import define, field, frozen

from compatapi.wire import WireType

__all__ = [
    "Annotation",
    "Audio",
    "AudioOptions",
    "AudioPart",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatCompletionRequest",
    "Choice",
    "ChunkChoice",
    "CompletionTokensDetails",
    "ContentPart",
    "CustomCall",
    "Delta",
    "FileData",
    "FilePart",
    "FunctionCall",
    "FunctionCallDelta",
    "FunctionDefinition",
    "ImagePart",
    "ImageURL",
    "InputAudio",
    "JSONSchema",
    "Logprobs",
    "Message",
    "Prediction",
    "PromptTokensDetails",
    "RefusalPart",
    "ResponseFormat",
    "StreamOptions",
    "TextPart",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "TopLogprob",
    "URLCitation",
    "Usage",
    "WebSearchOptions",
    "WireType",
]


def _string_or_tuple(values: str | Iterable[str] | None) -> str | tuple[str, ...] | None:
    return values if values is None or isinstance(values, str) else tuple(values)


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


def _content(value: str | Iterable[str | ContentPart | Mapping[str, Any]] | None) -> Content | None:
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
        value = json.loads(self.arguments) if self.arguments.strip() else {}
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
    content: Content | None = field(default=None, converter=_content)
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


# --- request --------------------------------------------------------------------------------------------------------


@frozen(eq=False, repr=False)
class StreamOptions(WireType):
    """What a stream shall hold besides the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


@frozen(eq=False, repr=False)
class JSONSchema(WireType):
    """A named JSON schema for the answer; the name has up to 64 letters, digits, ``_`` and ``-``."""

    name: str
    schema: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


@frozen(eq=False, repr=False)
class ResponseFormat(WireType):
    """The form of the answer: text, json_object, or json_schema."""

    type: str
    json_schema: JSONSchema | None = None

    @classmethod
    def json_object(cls) -> ResponseFormat:
        """Any JSON object; the prompt has to ask for JSON too."""
        return cls("json_object")

    @classmethod
    def from_schema(cls, name: str, schema: Mapping[str, Any], *, strict: bool | None = None) -> ResponseFormat:
        """JSON that follows a schema."""
        return cls("json_schema", JSONSchema(name, dict(schema), strict=strict))


@frozen(eq=False, repr=False)
class AudioOptions(WireType):
    """The voice and the format (wav, aac, mp3, flac, opus, pcm16) of a spoken answer."""

    voice: str | dict[str, Any]
    format: str


@frozen(eq=False, repr=False)
class Prediction(WireType):
    """Text of which most is expected to come back unchanged."""

    content: Content = field(converter=_content)
    type: str = "content"


@frozen(eq=False, repr=False)
class WebSearchOptions(WireType):
    """How a search model shall search."""

    search_context_size: str | None = None
    user_location: dict[str, Any] | None = None


def _tools(tools: Iterable[Tool | dict[str, Any]] | None) -> tuple[Tool | dict[str, Any], ...] | None:
    return None if tools is None else tuple(tools)


def _functions(
    functions: Iterable[FunctionDefinition | dict[str, Any]] | None,
) -> tuple[FunctionDefinition | dict[str, Any], ...] | None:
    return None if functions is None else tuple(functions)


def _strings(values: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _messages(messages: Iterable[Message | dict[str, Any]]) -> tuple[Message | dict[str, Any], ...]:
    if isinstance(messages, str | Mapping | Message):  # the first two are iterable, and would be sent as nonsense
        raise TypeError("messages is a list of messages, such as [Message.user('Hello')]")
    return tuple(messages)


@frozen(eq=False, repr=False, kw_only=True)
class _RequestOptions(WireType):
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    stop: str | tuple[str, ...] | None = field(default=None, converter=_string_or_tuple)
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    seed: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions | dict[str, Any] | None = None
    response_format: ResponseFormat | dict[str, Any] | None = None
    tools: tuple[Tool | dict[str, Any], ...] | None = field(default=None, converter=_tools)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    functions: tuple[FunctionDefinition | dict[str, Any], ...] | None = field(default=None, converter=_functions)
    function_call: str | dict[str, Any] | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    modalities: tuple[str, ...] | None = field(default=None, converter=_strings)
    audio: AudioOptions | dict[str, Any] | None = None
    prediction: Prediction | dict[str, Any] | None = None
    web_search_options: WebSearchOptions | dict[str, Any] | None = None
    service_tier: str | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None
    moderation: dict[str, Any] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    user: str | None = None


@frozen(eq=False, repr=False)
class ChatCompletionRequest(_RequestOptions):
    """A request for a chat completion: the model and the conversation, everything else by keyword.

    Every field of the OpenAI API reference is here; a field of one vendor alone goes into ``extra={...}`` and is sent
    beside the others. Messages, tools and response formats may be plain dicts, which are sent as they are.
    """

    model: str
    messages: tuple[Message | dict[str, Any], ...] = field(converter=_messages)


# --- what is received -----------------------------------------------------------------------------------------------


@define(eq=False, repr=False)
class TopLogprob(WireType):
    """A token that could have stood here, and how probable it was (natural logarithm)."""

    token: str | None = None
    logprob: float | None = None
    bytes: list[int] | None = None


@define(eq=False, repr=False)
class TokenLogprob(WireType):
    """A token of the answer, how probable it was (natural logarithm), and what else could have stood there."""

    token: str | None = None
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] | None = None


@define(eq=False, repr=False)
class Logprobs(WireType):
    """Log probabilities of the tokens of the text, or of the refusal."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None


@define(eq=False, repr=False)
class PromptTokensDetails(WireType):
    """What the tokens of the prompt were."""

    cached_tokens: int | None = None
    audio_tokens: int | None = None
    cache_write_tokens: int | None = None
    text_tokens: int | None = None
    image_tokens: int | None = None


@define(eq=False, repr=False)
class CompletionTokensDetails(WireType):
    """What the tokens of the answer were."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None
    text_tokens: int | None = None


@define(eq=False, repr=False)
class Usage(WireType):
    """Tokens that were used, as the server counts them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


@define(eq=False, repr=False)
class Choice(WireType):
    """One of the answers that were asked for."""

    index: int = 0
    message: Message = field(factory=lambda: Message("assistant"))
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


@define(eq=False, repr=False)
class ChatCompletion(WireType):
    """A whole answer. ``created`` is a Unix time in seconds."""

    id: str | None = None
    object: str | None = "chat.completion"
    created: int | None = None
    model: str | None = None
    choices: list[Choice] = field(factory=list)
    usage: Usage | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    moderation: dict[str, Any] | None = None

    @property
    def message(self) -> Message:
        """The message of the first choice, to be appended to the conversation; an empty one if there is none."""
        return self.choices[0].message if self.choices else Message("assistant")

    @property
    def text(self) -> str:
        """The text of the first choice; empty when there is none."""
        return self.message.text

    @property
    def reasoning(self) -> str:
        """The reasoning text of the first choice; empty when there is none."""
        return self.message.reasoning_content or ""

    @property
    def refusal(self) -> str:
        """The refusal of the first choice; empty when there is none."""
        return self.message.refusal or ""

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the first choice."""
        return tuple(call for call in self.message.tool_calls or () if isinstance(call, ToolCall))

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended; ``None`` when it has not."""
        return self.choices[0].finish_reason if self.choices else None


@define(eq=False, repr=False)
class FunctionCallDelta(WireType):
    """A piece of a function call: the name comes whole, the arguments in pieces of JSON text."""

    _is_short_lived = True

    name: str | None = None
    arguments: str | None = None


@define(eq=False, repr=False)
class ToolCallDelta(WireType):
    """A piece of a tool call; pieces with the same ``index`` belong together."""

    _is_short_lived = True

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: FunctionCallDelta | None = None
    custom: dict[str, Any] | None = None


@define(eq=False, repr=False)
class Delta(WireType):
    """What a chunk adds to a message."""

    _is_short_lived = True

    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] | None = None
    function_call: FunctionCallDelta | None = None
    annotations: list[Annotation] | None = None
    audio: Audio | None = None


@define(eq=False, repr=False)
class ChunkChoice(WireType):
    """What a chunk adds to one choice; ``finish_reason`` is ``None`` until that choice is at its end."""

    _is_short_lived = True

    index: int = 0
    delta: Delta = field(factory=Delta)
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


@define(eq=False, repr=False)
class ChatCompletionChunk(WireType):
    """One piece of a streamed answer. ``created`` is a Unix time in seconds."""

    _is_short_lived = True

    id: str | None = None
    object: str | None = "chat.completion.chunk"
    created: int | None = None
    model: str | None = None
    choices: list[ChunkChoice] = field(factory=list)
    usage: Usage | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    moderation: dict[str, Any] | None = None

    @property
    def _first_delta(self) -> Delta | None:
        choices = self.choices
        if choices and not choices[0].index:
            return choices[0].delta
        return next((choice.delta for choice in choices if not choice.index), None)

    @property
    def text(self) -> str:
        """The text that this chunk adds to the first choice; empty when it adds none."""
        delta = self._first_delta
        return (delta.content or "") if delta is not None else ""

    @property
    def reasoning(self) -> str:
        """The reasoning text that this chunk adds to the first choice; empty when it adds none."""
        delta = self._first_delta
        return (delta.reasoning_content or "") if delta is not None else ""

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended; ``None`` while it goes on."""
        return next((choice.finish_reason for choice in self.choices if not choice.index), None)
