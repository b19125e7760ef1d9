"""What the Gemini dialect sends: bodies field by field, addresses, keys; and what it refuses."""

import base64
import json
import logging

import pytest

from compatapi.chat_types import (
    Annotation,
    AudioOptions,
    AudioPart,
    ChatCompletionRequest,
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
    ResponseFormat,
    StreamOptions,
    TextPart,
    Tool,
    ToolCall,
)
from compatapi.dialects.gemini import GeminiDialect
from compatapi.errors import ConfigError
from compatapi.http_types import Quirks, Secret, Target
from compatapi.service_types import EmbeddingRequest

DIALECT = GeminiDialect()
GOOGLE = "https://generativelanguage.googleapis.com"
HELLO = [Message.user("hello")]
WIRE = [{"role": "user", "parts": [{"text": "hello"}]}]
SCHEMA = {"$schema": "x", "type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": False}
PNG = base64.b64encode(b"\x89PNG").decode()


def target(base=GOOGLE, *, key=None, body=None, drop=False, **quirks):
    """A target with quirks by keyword."""
    return Target(
        base,
        Secret(key) if key else None,
        Quirks(**quirks),
        body=body or {},
        on_unsupported="drop" if drop else "raise",
    )


def request_of(messages=HELLO, model="gemini-2.5-flash", **options):
    """A request."""
    return ChatCompletionRequest(model, messages, **options)


def sent(messages=HELLO, *, to=None, stream=False, **options):
    """The JSON body of the request that would be sent."""
    return json.loads(DIALECT.encode_request(request_of(messages, **options), to or target(), stream).body)


def config(**options):
    """The generationConfig of a request with these options, which say nothing else."""
    body = sent(**options)
    assert {"contents", "generationConfig"} == body.keys()
    return body["generationConfig"]


def parts(*messages):
    """The parts of the last turn."""
    return sent(messages)["contents"][-1]["parts"]


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "models/gemini-2.5-flash"])
@pytest.mark.parametrize("base", [GOOGLE, GOOGLE + "/", GOOGLE + "/v1beta", GOOGLE + "/v1beta/"])
def test_addresses(base, model):
    """The model is in the path, with or without "models/"; a stream is asked for by ``alt=sse``."""
    whole = DIALECT.encode_request(request_of(model=model), target(base), False)
    live = DIALECT.encode_request(request_of(model=model), target(base), True)
    path = GOOGLE + "/v1beta/models/gemini-2.5-flash"
    assert ("POST", f"{path}:generateContent", False) == (whole.method, whole.url, whole.stream)
    assert ("POST", f"{path}:streamGenerateContent?alt=sse", True) == (live.method, live.url, live.stream)
    assert {"contents": WIRE} == json.loads(whole.body) == json.loads(live.body)
    assert ("application/json", "text/event-stream") == (whole.headers["Accept"], live.headers["Accept"])


def test_the_key_is_in_a_header_alone():
    """The key is in the header that Google names, not in the address and not in a repr."""
    request = DIALECT.encode_request(request_of(), target(key="k-123"), False)
    assert "k-123" == request.headers["x-goog-api-key"]
    assert "Authorization" not in request.headers
    assert "k-123" not in request.url + repr(request)


def test_vertex():
    """On Vertex AI the base URL names version and project, and the key is a bearer token."""
    base = "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1/publishers/google"
    request = DIALECT.encode_request(request_of(), target(base, key="ya29.x", auth="bearer"), True)
    assert f"{base}/models/gemini-2.5-flash:streamGenerateContent?alt=sse" == request.url
    assert "Bearer ya29.x" == request.headers["Authorization"]


def test_the_version_of_the_base_url_wins():
    """A base URL that ends in another version is taken at its word."""
    request = DIALECT.encode_request(request_of(), target(GOOGLE + "/v1"), False)
    assert f"{GOOGLE}/v1/models/gemini-2.5-flash:generateContent" == request.url


def test_what_the_call_sets_in_the_body_wins():
    """Fields of the call are set, or removed by ``None``."""
    to = target(body={"safetySettings": [], "generationConfig": None})
    assert {"contents": WIRE, "safetySettings": []} == sent(to=to, temperature=1)


# --- options --------------------------------------------------------------------------------------------------------


def test_every_option():
    """Each option has its place in generationConfig."""
    options = {
        "temperature": 0,
        "top_p": 0.5,
        "n": 2,
        "max_completion_tokens": 9,
        "stop": ["a", "b"],
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "logprobs": True,
        "top_logprobs": 3,
        "seed": 7,
        "modalities": ["text", "image"],
        "extra": {"top_k": 40},
    }
    assert {
        "temperature": 0,
        "topP": 0.5,
        "candidateCount": 2,
        "maxOutputTokens": 9,
        "stopSequences": ["a", "b"],
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "responseLogprobs": True,
        "logprobs": 3,
        "seed": 7,
        "responseModalities": ["TEXT", "IMAGE"],
        "topK": 40,
    } == config(**options)


def test_older_and_shorter_forms():
    """``max_tokens`` and a single stop word are said too; what is sent anyway needs no word."""
    options = {"max_tokens": 5, "stop": "x", "stream_options": StreamOptions(include_usage=True)}
    assert {"maxOutputTokens": 5, "stopSequences": ["x"]} == config(**options, parallel_tool_calls=True)


def test_json():
    """JSON is asked for by its media type, a schema is sent as it is."""
    assert {"responseMimeType": "application/json"} == config(response_format=ResponseFormat.json_object())
    wanted = ResponseFormat.from_schema("answer", SCHEMA, strict=True)
    assert {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA} == config(response_format=wanted)
    described = {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": {"type": "object"}}}
    assert {"description": "d", "type": "object"} == config(response_format=described)["responseJsonSchema"]
    assert {"contents": WIRE} == sent(response_format={"type": "text"})


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        ("gemini-2.5-flash", {"reasoning_effort": "low"}, {"includeThoughts": True, "thinkingBudget": 1024}),
        ("gemini-2.5-flash", {"reasoning_effort": "max"}, {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-2.5-pro", {"reasoning_effort": "max"}, {"includeThoughts": True, "thinkingBudget": 32768}),
        ("gemini-2.5-flash", {"thinking_budget": 99999}, {"includeThoughts": True, "thinkingBudget": 99999}),
        ("gemini-flash-latest", {"reasoning_effort": "high"}, {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-3-pro-preview", {"reasoning_effort": "low"}, {"includeThoughts": True, "thinkingLevel": "LOW"}),
        ("models/gemini-3.5-flash", {"reasoning_effort": "xhigh"}, {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        ("gemini-12-pro", {"reasoning_effort": "minimal"}, {"includeThoughts": True, "thinkingLevel": "MINIMAL"}),
        ("gemini-3-pro", {"thinking_budget": 512}, {"includeThoughts": True, "thinkingBudget": 512}),
        ("gemini-3-pro", {"reasoning_effort": "none"}, {"thinkingBudget": 0}),
        ("gemini-2.5-flash", {"thinking_budget": 0}, {"thinkingBudget": 0}),
    ],
)
def test_thinking(model, options, expected):
    """A word is a level for Gemini 3 and later and a budget for others; a budget is a budget; 0 is off."""
    assert {"thinkingConfig": expected} == config(model=model, **options)


def test_thinking_in_own_words():
    """What a request says of thinkingConfig itself wins, field by field."""
    own = {"thinkingConfig": {"includeThoughts": False}}
    assert {"thinkingConfig": {"includeThoughts": False, "thinkingBudget": 1024}} == config(
        reasoning_effort="low", extra=own
    )


def test_speech():
    """A voice is a name; the format is the one that there is."""
    said = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    assert {"speechConfig": said} == config(audio=AudioOptions("Kore", "pcm16"))


@pytest.mark.parametrize("camel", [True, False])
def test_own_fields_of_the_service(camel):
    """Fields of the service that have no common name go where they belong, by either spelling."""
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    names = ("safetySettings", "cachedContent", "mediaResolution")
    mine = names if camel else ("safety_settings", "cached_content", "media_resolution")
    extra = dict(zip(mine, (safety, "cachedContents/1", "MEDIA_RESOLUTION_LOW"), strict=True))
    assert {
        "contents": WIRE,
        "safetySettings": safety,
        "cachedContent": "cachedContents/1",
        "generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"},
    } == sent(extra=extra)


def test_whole_objects_of_the_service():
    """generationConfig and toolConfig are filled up by what the request says in Google's own words."""
    extra = {"generationConfig": {"topK": 3}, "toolConfig": {"retrievalConfig": {"languageCode": "de"}}}
    body = sent(temperature=1, tool_choice="none", store=False, extra=extra)
    assert {"temperature": 1, "topK": 3} == body["generationConfig"]
    assert {"functionCallingConfig": {"mode": "NONE"}, "retrievalConfig": {"languageCode": "de"}} == body["toolConfig"]
    assert body["store"] is False


# --- tools ----------------------------------------------------------------------------------------------------------


def test_functions():
    """Functions are declared together; their parameters are JSON Schema, sent as it is."""
    tools = [Tool.from_schema("add", "Adds", SCHEMA), {"type": "function", "function": {"name": "now"}}]
    declared = [{"name": "add", "description": "Adds", "parametersJsonSchema": SCHEMA}, {"name": "now"}]
    assert {"contents": WIRE, "tools": [{"functionDeclarations": declared}]} == sent(tools=tools)
    older = sent(functions=[FunctionDefinition("now")], function_call="auto")
    assert [{"functionDeclarations": [{"name": "now"}]}] == older["tools"]


def test_a_function_says_more():
    """What only Google's declarations have goes through."""
    told = FunctionDefinition("f", extra={"behavior": "NON_BLOCKING"})
    assert [{"name": "f", "behavior": "NON_BLOCKING"}] == sent(tools=[Tool(told)])["tools"][0]["functionDeclarations"]


def test_tools_of_google():
    """Tools of Google's own shape stand beside the functions, spelled as its documents do."""
    tools = [{"googleSearch": {}}, Tool.from_schema("now"), {"url_context": {}}]
    declared = {"functionDeclarations": [{"name": "now"}]}
    assert [declared, {"googleSearch": {}}, {"urlContext": {}}] == sent(tools=tools)["tools"]
    assert [{"codeExecution": {}}] == sent(tools=[{"codeExecution": {}}])["tools"]


@pytest.mark.parametrize(
    ("choice", "strict", "expected"),
    [
        ("auto", None, {"mode": "AUTO"}),
        ("none", None, {"mode": "NONE"}),
        ("required", None, {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "now"}}, None, {"mode": "ANY", "allowedFunctionNames": ["now"]}),
        (None, True, {"mode": "VALIDATED"}),
        ("required", True, {"mode": "ANY"}),
        ("validated", None, {"mode": "VALIDATED"}),
    ],
)
def test_the_choice_of_tools(choice, strict, expected):
    """Each choice has its mode; strict functions are called with validated arguments."""
    body = sent(tools=[Tool.from_schema("now", strict=strict)], tool_choice=choice)
    assert {"functionCallingConfig": expected} == body["toolConfig"]


# --- messages -------------------------------------------------------------------------------------------------------


def test_the_system_instruction():
    """System and developer messages are the parts of the instruction, wherever they stand."""
    body = sent([Message.system("Be brief."), *HELLO, Message.developer(["In", "verse"])])
    assert {"parts": [{"text": "Be brief."}, {"text": "In"}, {"text": "verse"}]} == body["systemInstruction"]
    assert WIRE == body["contents"]


def test_parts_of_a_user():
    """Text, images, sound and files are parts: data inside, addresses as they are."""
    given = Message.user(
        [
            "look",
            ImagePart(ImageURL(f"data:image/png;base64,{PNG}")),
            ImagePart(ImageURL("https://example.org/a.jpg", "auto")),
            AudioPart(InputAudio("UklG", "wav")),
            FilePart(FileData(file_data=f"data:application/pdf;base64,{PNG}", filename="a.pdf")),
            FilePart(FileData(file_id="https://www.youtube.com/watch?v=1")),
            FilePart(FileData(file_id=GOOGLE + "/v1beta/files/x", filename="x.mp4")),
        ]
    )
    assert [
        {"text": "look"},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.org/a.jpg"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "UklG"}},
        {"inlineData": {"mimeType": "application/pdf", "data": PNG}},
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": GOOGLE + "/v1beta/files/x"}},
    ] == parts(given)


def test_messages_as_dicts():
    """Messages may be plain dicts."""
    plain = [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "hello"}]}]
    assert {"contents": WIRE, "systemInstruction": {"parts": [{"text": "s"}]}} == sent(plain)


def test_an_answer():
    """The model's turns are text; reasoning is a thought in front, a refusal is text that it said."""
    given = Message.assistant([TextPart("No"), RefusalPart("never")], reasoning_content="Hm.")
    assert [{"text": "Hm.", "thought": True}, {"text": "No"}, {"text": "never"}] == parts(*HELLO, given)
    assert [{"text": "sorry"}] == parts(*HELLO, Message.assistant(refusal="sorry"))


def test_empty_turns():
    """An empty turn of the model is left out, because it says nothing; one of the user is an empty text."""
    body = sent([*HELLO, Message.assistant(), Message.user("")])
    assert [*WIRE, {"role": "user", "parts": [{"text": ""}]}] == body["contents"]


def test_calls_and_results():
    """Made-up ids are not sent: results have the names and the order of the calls, and share one turn."""
    calls = [ToolCall(f"call_{n}", FunctionCall(name, text)) for n, name, text in ((1, "a", '{"x":1}'), (2, "b", ""))]
    turns = sent(
        [
            *HELLO,
            Message.assistant("So:", tool_calls=calls),
            Message.tool('{"y": [1]}', "call_2"),
            Message.tool("plain", "call_1"),
            Message.user("go on"),
        ]
    )["contents"]
    called = [{"functionCall": {"name": "a", "args": {"x": 1}}}, {"functionCall": {"name": "b", "args": {}}}]
    results = [
        {"functionResponse": {"name": "a", "response": {"result": "plain"}}},
        {"functionResponse": {"name": "b", "response": {"y": [1]}}},
    ]
    assert {"role": "model", "parts": [{"text": "So:"}, *called]} == turns[1]
    assert [{"role": "user", "parts": results}, {"role": "user", "parts": [{"text": "go on"}]}] == turns[2:]


@pytest.mark.parametrize("text", ["", "[1]", "{broken", "5", "null", '"a"'])
def test_results_that_are_no_objects(text):
    """Any result that is no JSON object is wrapped, unchanged."""
    calls = [ToolCall("1", FunctionCall("f", "{}"))]
    [part] = parts(*HELLO, Message.assistant(tool_calls=calls), Message.tool(text, "1"))
    assert {"name": "f", "response": {"result": text}} == part["functionResponse"]


def test_a_result_with_an_image():
    """What a result shows stands beside its text."""
    calls = [ToolCall("1", FunctionCall("f", "{}"))]
    shown = Message.tool(["see", ImagePart.from_url(f"data:image/png;base64,{PNG}")], "1")
    [part] = parts(*HELLO, Message.assistant(tool_calls=calls), shown)
    media = [{"inlineData": {"mimeType": "image/png", "data": PNG}}]
    assert {"name": "f", "response": {"result": "see"}, "parts": media} == part["functionResponse"]


def test_ids_that_are_used_again():
    """The name is that of the latest call with the id."""
    turns = [
        message
        for name in ("a", "b")
        for message in (
            Message.assistant(tool_calls=[ToolCall("1", FunctionCall(name, "{}"))]),
            Message.tool("r", "1"),
        )
    ]
    names = [turn["parts"][0]["functionResponse"]["name"] for turn in sent([*HELLO, *turns])["contents"][2::2]]
    assert ["a", "b"] == names


def test_older_function_calls():
    """The older form of calls and results is said too."""
    call = Message("assistant", function_call=FunctionCall("f", "{}"))
    turns = sent([*HELLO, call, Message("function", "r", name="f")])["contents"]
    assert [{"functionCall": {"name": "f", "args": {}}}] == turns[1]["parts"]
    assert [{"functionResponse": {"name": "f", "response": {"result": "r"}}}] == turns[2]["parts"]


def test_what_an_answer_kept_goes_back_to_its_place():
    """Signatures, parts and calls stand again where they stood in the answer."""
    sign = {"type": "reasoning.encrypted", "format": "google-gemini-v1"}
    google = {"thought_signature": "C", "function_call": {"id": "fc-1"}, "partMetadata": {"k": 1}}
    call = ToolCall("fc-1", FunctionCall("f", "{}"), extra={"extra_content": {"google": google}})
    details = [
        {**sign, "data": "T", "index": 0, "offset": 0, "calls": 0, "length": 0, "thought": True},
        {**sign, "data": "A", "index": 1, "offset": 0, "calls": 0, "length": 2},
        {**sign, "data": "E", "index": 6, "offset": 4, "calls": 1, "length": 0},
    ]
    blocks = [{"executableCode": {"code": "1"}, "thoughtSignature": "B", "index": 3, "offset": 3, "calls": 0}]
    message = Message(
        "assistant",
        "abcd",
        reasoning_content="Hm.",
        tool_calls=[call, ToolCall("x", FunctionCall("g", "{}"))],
        extra={"reasoning_details": details, "content_blocks": blocks},
    )
    assert [
        {"text": "Hm.", "thought": True, "thoughtSignature": "T"},
        {"text": "ab", "thoughtSignature": "A"},
        {"text": "c"},
        {"executableCode": {"code": "1"}, "thoughtSignature": "B"},
        {"text": "d"},
        {"functionCall": {"id": "fc-1", "name": "f", "args": {}}, "partMetadata": {"k": 1}, "thoughtSignature": "C"},
        {"text": "", "thoughtSignature": "E"},
        {"functionCall": {"name": "g", "args": {}}},
    ] == parts(*HELLO, message)
    answer = parts(*HELLO, message, Message.tool("r", "fc-1"))
    assert [{"functionResponse": {"id": "fc-1", "name": "f", "response": {"result": "r"}}}] == answer


def test_a_text_that_was_changed_meanwhile():
    """A program may shorten a text: no letter of it is lost, and the signatures still go back."""
    detail = {"type": "reasoning.encrypted", "format": "google-gemini-v1", "data": "A", "offset": 9, "length": 9}
    message = Message("assistant", "ab", extra={"reasoning_details": [detail, {**detail, "offset": None}]})
    assert [{"text": "ab"}, {"text": "", "thoughtSignature": "A"}, {"text": "", "thoughtSignature": "A"}] == parts(
        *HELLO, message
    )


# --- what cannot be said --------------------------------------------------------------------------------------------

CALL = ToolCall("1", FunctionCall("f", "{}"))
FIELDS = {
    "logit_bias": {"1": 2},
    "user": "u",
    "parallel_tool_calls": False,
    "verbosity": "low",
    "prediction": {"type": "content", "content": "x"},
    "web_search_options": {},
    "metadata": {"a": "b"},
    "prompt_cache_key": "k",
    "response_format": {"type": "grammar"},
    "audio": {"voice": "v", "format": "mp3"},
    "tools": [Tool(None, "custom", custom={"name": "c"})],
    "tool_choice": "sometimes",
    "extra": {"anthropic_beta": "x"},
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_that_are_refused(name):
    """A field without a word names itself and the dialect, and can be dropped."""
    options = {name: FIELDS[name]}
    shown = {"extra": "anthropic_beta"}.get(name, name)
    with pytest.raises(ConfigError, match=f"'gemini' has no word for {shown}"):
        sent(**options)
    assert WIRE == sent(to=target(drop=True), **options)["contents"]


MESSAGES = {
    "name": Message.user("x", name="n"),
    "role": Message("narrator", "x"),
    "content[0].image_url.detail": Message.user([ImagePart(ImageURL("https://e.org/a.png", "high"))]),
    "content[0].file": Message.user([FilePart(FileData(file_data="AAAA"))]),
    "content[0]": Message.user([ContentPart("video_url", extra={"video_url": {"url": "x"}})]),
    "content[0].cache_control": Message.user([TextPart("x", extra={"cache_control": {}, "n": 1})]),
    "annotations": Message("assistant", "x", annotations=[Annotation("url_citation")]),
    "reasoning_details[0]": Message("assistant", "x", extra={"reasoning_details": [{"type": "reasoning.text"}]}),
    "content_blocks[0]": Message("assistant", "x", extra={"content_blocks": [{"type": "server_tool_use"}]}),
    "tool_calls[0]": Message.assistant(tool_calls=[ToolCall("1", type="custom", custom=CustomCall("c"))]),
    "tool_calls[0].signature": Message.assistant(tool_calls=[ToolCall("1", CALL.function, extra={"signature": "s"})]),
    "tool_calls[0].extra_content.other": Message.assistant(
        tool_calls=[ToolCall("1", CALL.function, extra={"extra_content": {"other": {"a": 1}}})]
    ),
}


@pytest.mark.parametrize("path", MESSAGES)
def test_parts_of_messages_that_are_refused(path):
    """A part of a message without a word is named by its path, and can be dropped."""
    named = {"content[0].cache_control": "content[0].n"}.get(path, path)
    with pytest.raises(ConfigError) as caught:
        sent([*HELLO, MESSAGES[path]])
    assert f"messages[1].{named}" in str(caught.value)
    assert "'gemini'" in str(caught.value)
    assert WIRE == sent([*HELLO, MESSAGES[path]], to=target(drop=True))["contents"][:1]


def test_a_result_without_its_call():
    """A result whose call is not in the conversation has no name, and is refused."""
    with pytest.raises(ConfigError, match=r"messages\[1\] \(no earlier message has a call with the id 'call_9'"):
        sent([*HELLO, Message.tool("r", "call_9")])
    assert WIRE == sent([*HELLO, Message.tool("r", "call_9")], to=target(drop=True))["contents"]


def test_what_is_dropped_is_in_the_log(caplog):
    """Each part that is dropped is said in the log."""
    with caplog.at_level(logging.WARNING, "compatapi"):
        assert {"contents": WIRE} == sent(to=target(drop=True), user="u", logit_bias={"1": 1})
    assert ["logit_bias", "user"] == sorted(record.getMessage().split()[7].rstrip(":") for record in caplog.records)


def test_arguments_that_are_no_object():
    """Arguments of an earlier call that are no JSON object cannot be sent, and are shown."""
    with pytest.raises(ConfigError, match="no JSON object"):
        sent([*HELLO, Message.assistant(tool_calls=[ToolCall("1", FunctionCall("f", "[1"))])])


# --- lists and embeddings -------------------------------------------------------------------------------------------


def test_the_list_of_models():
    """Pages are as large as they can be, and the next one is asked for by its token."""
    first = DIALECT.encode_models(target(key="k"))
    assert ("GET", f"{GOOGLE}/v1beta/models?pageSize=1000", "k") == (
        first.method,
        first.url,
        first.headers["x-goog-api-key"],
    )
    more = DIALECT.encode_more_models(target(), b'{"models":[],"nextPageToken":"a/b="}')
    assert f"{GOOGLE}/v1beta/models?pageSize=1000&pageToken=a%2Fb%3D" == more.url
    assert DIALECT.encode_more_models(target(), b'{"models":[]}') is None


def test_one_embedding():
    """A text is asked for alone, with its options by Google's names."""
    asked = EmbeddingRequest(
        "models/e-1", "hi", dimensions=8, encoding_format="float", extra={"task_type": "CLUSTERING"}
    )
    request = DIALECT.encode_embeddings(asked, target())
    assert f"{GOOGLE}/v1beta/models/e-1:embedContent" == request.url
    content = {"parts": [{"text": "hi"}]}
    assert {"content": content, "outputDimensionality": 8, "taskType": "CLUSTERING"} == json.loads(request.body)


def test_several_embeddings():
    """Several texts go together, each with the model."""
    request = DIALECT.encode_embeddings(EmbeddingRequest("e-1", ["a", "b"]), target())
    assert f"{GOOGLE}/v1beta/models/e-1:batchEmbedContents" == request.url
    asked = [{"model": "models/e-1", "content": {"parts": [{"text": text}]}} for text in "ab"]
    assert {"requests": asked} == json.loads(request.body)


@pytest.mark.parametrize("options", [{"user": "u"}, {"encoding_format": "base64"}, {"extra": {"truncate": True}}])
def test_embedding_options_that_are_refused(options):
    """An option without a word is refused, or dropped."""
    with pytest.raises(ConfigError, match="'gemini' has no word for"):
        DIALECT.encode_embeddings(EmbeddingRequest("e", "x", **options), target())
    request = DIALECT.encode_embeddings(EmbeddingRequest("e", "x", **options), target(drop=True))
    assert {"content": {"parts": [{"text": "x"}]}} == json.loads(request.body)


def test_token_ids_are_refused():
    """There is no word for token ids."""
    with pytest.raises(ConfigError, match="token ids"):
        DIALECT.encode_embeddings(EmbeddingRequest("e", [1, 2]), target())


def test_rows_without_lists():
    """A row may say that there are neither lists nor embeddings."""
    with pytest.raises(ConfigError, match="no list of models"):
        DIALECT.encode_models(target(models_path=None))
    with pytest.raises(ConfigError, match="no embeddings"):
        DIALECT.encode_embeddings(EmbeddingRequest("e", "x"), target(embeddings_path=None))
