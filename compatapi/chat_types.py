"""The wire types of chat completions: what is sent is frozen, what is received has plain slots.

One class for each JSON object of the OpenAI API reference (schemas CreateChatCompletionRequest, -Response and
-StreamResponse), with the names of the wire as attribute names. ``None`` means "not there" and is not written; an
explicit ``False``, ``0``, ``""`` or ``[]`` is. Fields that a class does not know are kept in `extra` and written back.
Open sets (roles, finish reasons) are plain strings, because a server may say something new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, field, frozen

from compatapi.message_types import (
    Annotation,
    Audio,
    AudioPart,
    Content,
    ContentPart,
    CustomCall,
    FileData,
    FilePart,
    FunctionCall,
    FunctionDefinition,
    ImagePart,
    ImageURL,
    InputAudio,
    Message,
    RefusalPart,
    TextPart,
    Tool,
    ToolCall,
    URLCitation,
    as_content,
)
from compatapi.wire import ChunkForm, WireType

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

    content: Content = field(converter=as_content)
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
    made = tuple(messages)
    for index, message in enumerate(made):
        if not isinstance(message, Message | Mapping):
            raise TypeError(
                f"messages[{index}] is a {type(message).__name__}; a message is Message.user('Hello'), or a dict"
            )
    return made


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
    thinking_budget: int | None = None
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
    beside the others. Messages, tools and response formats may be plain dicts.

    How much the model shall think is said by ``reasoning_effort`` ("none", "minimal", "low", "medium", "high", "xhigh",
    "max") or by ``thinking_budget`` (tokens, 0 for none), for every host in its own words.
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
    # The form by which it was read, if any. Nobody has changed such a chunk yet when the answer takes it in.
    _form: ChunkForm | None = field(default=None, init=False, eq=False, repr=False)

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
