"""The rows of `compatapi.providers`, the addresses that they lead to, and the table of them in the documentation."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from compatapi import providers
from compatapi.chat_types import ChatCompletionRequest, Message
from compatapi.dialects import DIALECTS, get_dialect
from compatapi.errors import ConfigError
from compatapi.http_types import Secret, Target
from compatapi.providers import ALIASES, PROVIDERS, get_provider
from compatapi.service_types import EmbeddingRequest
from compatapi.wire import wire_names

#: The rows of real hosts; the demonstration inside this process is none.
HOSTS = {name: row for name, row in PROVIDERS.items() if not callable(row.base_url)}
#: Those of the OpenAI form.
OPENAI = [name for name, row in HOSTS.items() if row.dialect == "openai"]

DOCS = Path(__file__).parents[1] / "docs"
AZURE = "https://res.openai.azure.com"

#: What a user has to say where only the user knows.
BASES = {
    "azure": AZURE,
    "azure-deployment": AZURE,
    "azure-ai": "https://res.services.ai.azure.com/models",
    "snowflake": "https://acme-main.snowflakecomputing.com",
    "vertex": "https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu/publishers/google",
}

#: Section 1 of "OpenAI-compatible servers", and the addresses of the other dialects; with "dep" for the model.
CHAT_URLS = {
    "openai": "https://api.openai.com/v1/chat/completions",
    "azure": f"{AZURE}/openai/v1/chat/completions",
    "azure-deployment": f"{AZURE}/openai/deployments/dep/chat/completions",
    "azure-ai": "https://res.services.ai.azure.com/models/chat/completions",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "groq": "https://api.groq.com/openai/v1/chat/completions",
    "together": "https://api.together.xyz/v1/chat/completions",
    "fireworks": "https://api.fireworks.ai/inference/v1/chat/completions",
    "mistral": "https://api.mistral.ai/v1/chat/completions",
    "deepseek": "https://api.deepseek.com/chat/completions",
    "moonshot": "https://api.moonshot.ai/v1/chat/completions",
    "moonshot-cn": "https://api.moonshot.cn/v1/chat/completions",
    "xai": "https://api.x.ai/v1/chat/completions",
    "perplexity": "https://api.perplexity.ai/chat/completions",
    "cerebras": "https://api.cerebras.ai/v1/chat/completions",
    "nvidia": "https://integrate.api.nvidia.com/v1/chat/completions",
    "huggingface": "https://router.huggingface.co/v1/chat/completions",
    "gemini-openai": "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
    "vercel": "https://ai-gateway.vercel.sh/v1/chat/completions",
    "snowflake": "https://acme-main.snowflakecomputing.com/api/v2/cortex/v1/chat/completions",
    "volcengine": "https://ark.cn-beijing.volces.com/api/v3/chat/completions",
    "byteplus": "https://ark.ap-southeast.bytepluses.com/api/v3/chat/completions",
    "aliyun": "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions",
    "aliyun-intl": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
    "zhipu": "https://open.bigmodel.cn/api/paas/v4/chat/completions",
    "zai": "https://api.z.ai/api/paas/v4/chat/completions",
    "hunyuan-openai": "https://api.hunyuan.cloud.tencent.com/v1/chat/completions",
    "minimax": "https://api.minimax.io/v1/chat/completions",
    "minimax-cn": "https://api.minimaxi.com/v1/chat/completions",
    "stepfun": "https://api.stepfun.com/v1/chat/completions",
    "longcat": "https://api.longcat.chat/openai/v1/chat/completions",
    "xiaomi": "https://api.xiaomimimo.com/v1/chat/completions",
    "ollama-cloud-v1": "https://ollama.com/v1/chat/completions",
    "vllm": "http://localhost:8000/v1/chat/completions",
    "sglang": "http://localhost:30000/v1/chat/completions",
    "llamacpp": "http://localhost:8080/v1/chat/completions",
    "lmstudio": "http://localhost:1234/v1/chat/completions",
    "ollama-v1": "http://localhost:11434/v1/chat/completions",
    "tgi": "http://localhost:8080/v1/chat/completions",
    "localai": "http://localhost:8080/v1/chat/completions",
    "xinference": "http://localhost:9997/v1/chat/completions",
    "anthropic": "https://api.anthropic.com/v1/messages",
    "longcat-anthropic": "https://api.longcat.chat/anthropic/v1/messages",
    "deepseek-anthropic": "https://api.deepseek.com/anthropic/v1/messages",
    "moonshot-anthropic": "https://api.moonshot.ai/anthropic/v1/messages",
    "zai-anthropic": "https://api.z.ai/api/anthropic/v1/messages",
    "zhipu-anthropic": "https://open.bigmodel.cn/api/anthropic/v1/messages",
    "minimax-anthropic": "https://api.minimax.io/anthropic/v1/messages",
    "xiaomi-anthropic": "https://api.xiaomimimo.com/anthropic/v1/messages",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/models/dep:generateContent",
    "vertex": f"{BASES['vertex']}/models/dep:generateContent",
    "ollama": "http://localhost:11434/api/chat",
    "ollama-cloud": "https://ollama.com/api/chat",
    "hunyuan": "https://hunyuan.tencentcloudapi.com/",
    "hunyuan-intl": "https://hunyuan.ai.intl.tencentcloudapi.com/",
    "dashscope": "https://dashscope.aliyuncs.com/api/v1/services/aigc/text-generation/generation",
    "dashscope-intl": "https://dashscope-intl.aliyuncs.com/api/v1/services/aigc/text-generation/generation",
}


def target(name: str, base_url: str | None = None, **query: str) -> Target:
    """What a client makes of the row, at its own address or another."""
    row = PROVIDERS[name]
    url = base_url or row.base_url or BASES[name]
    query = {key.replace("_", "-"): value for key, value in query.items()}
    return Target(url, Secret("id:key" if row.key_parts_env else "key"), row.quirks, query=query)


def chat_url(name: str, where: Target) -> str:
    """The address for a chat with the model "dep"."""
    request = ChatCompletionRequest("dep", [Message.user("Hi")])
    return get_dialect(PROVIDERS[name].dialect).encode_request(request, where, False).url


def urls(name: str, where: Target) -> dict[str, str]:
    """The three addresses of a target, with "dep" for the model."""
    dialect = get_dialect(PROVIDERS[name].dialect)
    return {
        "chat": chat_url(name, where),
        "models": dialect.encode_models(where).url,
        "embeddings": dialect.encode_embeddings(EmbeddingRequest("dep", "a"), where).url,
    }


def sent(name: str, *, stream: bool = False, **fields: object) -> dict[str, object]:
    """The JSON body that a host of the OpenAI form is sent for a request with these fields."""
    messages = [Message.developer("Be short."), Message.user("Hi")]
    request = ChatCompletionRequest("dep", messages, **fields)
    encoded = get_dialect(PROVIDERS[name].dialect).encode_request(request, target(name), stream)
    return json.loads(encoded.body or b"")


# --- rows -----------------------------------------------------------------------------------------------------------


def test_no_two_rows_have_one_name():
    """Each row has a name of its own, so none hides another in the dict."""
    assert [row.name for row in providers._ROWS] == list(PROVIDERS)


@pytest.mark.parametrize("row", PROVIDERS.values(), ids=PROVIDERS.keys())
def test_a_row_is_well_formed(row):
    """Names are lower case, titles are there, and the dialect exists."""
    assert re.fullmatch(r"[a-z][a-z0-9-]*", row.name)
    assert row.title
    assert get_dialect(row.dialect).name == row.dialect
    variables = [*row.key_env, *row.key_parts_env, *row.base_url_env, *row.header_env.values(), *row.query_env.values()]
    assert [] == [name for name in variables if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name)]


@pytest.mark.parametrize("row", HOSTS.values(), ids=HOSTS.keys())
def test_a_row_says_where_its_host_is(row):
    """A base URL is absolute, without a slash at the end, and encrypted unless local; or a variable may hold it."""
    if row.base_url is None:
        assert row.base_url_env
        return
    url = urlsplit(row.base_url)
    assert ("http" if url.hostname == "localhost" else "https") == url.scheme
    assert url.hostname
    assert ("", "") == (url.query, url.fragment)
    assert not row.base_url.endswith("/")


@pytest.mark.parametrize("row", HOSTS.values(), ids=HOSTS.keys())
def test_only_local_servers_do_without_a_key(row):
    """A host somewhere else needs a key and names a variable for it; a local server does not insist."""
    local = (row.base_url or "").startswith("http://localhost")
    assert local is not row.key_required
    assert row.key_env or row.key_parts_env or local


def test_chat_urls_are_those_of_the_documentation():
    """The address for chat of every row is the one of section 1, written out."""
    assert CHAT_URLS == {name: chat_url(name, target(name)) for name in HOSTS}


def test_the_demonstration_starts_when_a_client_is_made():
    """The row "demo" leads to a server inside this process, started when its address is asked for."""
    assert PROVIDERS["demo"].base_url().startswith("http://127.0.0.1:")
    assert not PROVIDERS["demo"].key_required


def test_perplexity_lists_its_models_elsewhere():
    """Perplexity has its models under /v1, but not its chat."""
    assert "https://api.perplexity.ai/v1/models" == get_dialect("openai").encode_models(target("perplexity")).url


# --- Azure ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [AZURE, f"{AZURE}/", f"{AZURE}/openai", f"{AZURE}/openai/v1", f"{AZURE}/openai/v1/"])
def test_azure_takes_the_endpoint_with_or_without_its_path(base):
    """The v1 form is reached from the bare endpoint as well as from the whole base URL."""
    v1 = f"{AZURE}/openai/v1"
    expected = {"chat": f"{v1}/chat/completions", "models": f"{v1}/models", "embeddings": f"{v1}/embeddings"}
    assert expected == urls("azure", target("azure", base))


@pytest.mark.parametrize("base", [AZURE, f"{AZURE}/", f"{AZURE}/openai", f"{AZURE}/openai/deployments/dep"])
def test_azure_deployment_puts_the_model_into_the_path(base):
    """The older form has the deployment in the path, once, and the API version in the query; models have none."""
    openai, version = f"{AZURE}/openai", "?api-version=2024-10-21"
    expected = {
        "chat": f"{openai}/deployments/dep/chat/completions{version}",
        "models": f"{openai}/models{version}",
        "embeddings": f"{openai}/deployments/dep/embeddings{version}",
    }
    assert expected == urls("azure-deployment", target("azure-deployment", base, api_version="2024-10-21"))


def test_a_deployment_in_the_base_url_wins_over_the_model():
    """A base URL that names a deployment is taken at its word, with its own query."""
    base = f"{AZURE}/openai/deployments/other?api-version=1"
    chat = f"{AZURE}/openai/deployments/other/chat/completions?api-version=1"
    assert chat == chat_url("azure-deployment", target("azure-deployment", base))
    assert chat == chat_url("azure", target("azure", base))


@pytest.mark.parametrize("name", ["azure", "azure-deployment", "azure-ai"])
def test_azure_wants_the_key_in_its_own_header(name):
    """The key goes into the header api-key and not into Authorization."""
    request = ChatCompletionRequest("dep", [Message.user("Hi")])
    headers = get_dialect("openai").encode_request(request, target(name), False).headers
    assert "key" == headers["api-key"]
    assert "Authorization" not in headers


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_usage_is_asked_for_where_it_comes_only_on_demand():
    """Streams ask for usage at OpenAI and vLLM, and not at hosts that refuse the option or send usage anyway."""
    names = ["openai", "vllm", "mistral", "zhipu", "zai", "perplexity", "together"]
    asked = {name: "stream_options" in sent(name, stream=True) for name in names}
    assert ["openai", "vllm"] == [name for name in names if asked[name]]


def test_mistral_has_another_name_for_the_seed():
    """Section 5: the seed is random_seed there, and max_completion_tokens is unknown."""
    body = sent("mistral", seed=7, max_completion_tokens=9)
    assert {"random_seed": 7, "max_tokens": 9} == {k: v for k, v in body.items() if k not in ("model", "messages")}


def test_the_developer_role_goes_only_where_it_is_known():
    """Section 5: OpenAI, Azure, xAI, Groq and MiMo know the role; all others are sent "system"."""
    knowing = {name for name in OPENAI if sent(name)["messages"][0]["role"] == "developer"}
    assert {"openai", "azure", "azure-deployment", "azure-ai", "xai", "groq", "xiaomi"} == knowing


@pytest.mark.parametrize("name", [name for name, row in HOSTS.items() if row.dialect == "anthropic"])
def test_the_key_of_anthropic_hosts(name):
    """Anthropic and DeepSeek want the key in x-api-key, the others of that form as a bearer token."""
    request = ChatCompletionRequest("dep", [Message.user("Hi")], max_tokens=5)
    headers = get_dialect("anthropic").encode_request(request, target(name), False).headers
    own = name in ("anthropic", "deepseek-anthropic")
    expected = ("key", None) if own else (None, "Bearer key")
    assert expected == (headers.get("x-api-key"), headers.get("Authorization"))


def test_vertex_takes_an_access_token():
    """Vertex speaks Gemini's dialect with a bearer token, at an address that names project and region."""
    request = ChatCompletionRequest("dep", [Message.user("Hi")])
    made = get_dialect("gemini").encode_request(request, target("vertex"), True)
    assert "Bearer key" == made.headers["Authorization"]
    assert made.url.startswith(f"{BASES['vertex']}/models/dep:streamGenerateContent")
    assert "x-goog-api-key" not in {header.lower() for header in made.headers}


def test_rows_whose_models_write_think_tags():
    """The option is on where the host says so, and nowhere else."""
    on = {name for name, row in PROVIDERS.items() if row.quirks.think_tags}
    assert {"lmstudio", "minimax", "minimax-cn", "perplexity", "together", "zai", "zhipu"} == on


# --- names ----------------------------------------------------------------------------------------------------------


def test_aliases_lead_to_rows_and_hide_none():
    """Every alias is lower case, names a row, and is not itself the name of one."""
    assert set() == set(ALIASES.values()) - set(PROVIDERS)
    assert set() == set(ALIASES) & set(PROVIDERS)
    assert [] == [alias for alias in ALIASES if alias != alias.lower()]


@pytest.mark.parametrize(
    ("name", "row"),
    [("openai", "openai"), ("OpenAI", "openai"), (" groq ", "groq"), ("x.ai", "xai"), ("Google", "gemini")],
)
def test_a_row_is_found_by_name_and_alias(name, row):
    """Upper case and blanks around the name do not matter, and aliases lead to their rows."""
    assert PROVIDERS[row] is get_provider(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "opnai",
            "There is no provider 'opnai'. Did you mean 'openai'? For a server without a row use Client(base_url=...)",
        ),
        ("zzzz", "There is no provider 'zzzz'. For a server without a row use Client(base_url=...)"),
    ],
)
def test_a_misspelled_name_is_answered_with_the_nearest(name, said):
    """The error names the rows that are spelled alike, and the way for a server that has none."""
    with pytest.raises(ConfigError) as caught:
        get_provider(name)
    assert said == str(caught.value)


@pytest.mark.parametrize("key", ["sk-short", "gsk_0123456789abcdefghijklmnopqrstuvwxyz"])
def test_a_key_in_place_of_a_name_is_not_shown(key):
    """Somebody who passes the key where the name belongs does not find it in a log."""
    with pytest.raises(ConfigError) as caught:
        get_provider(key)
    assert key not in str(caught.value)


def test_the_rows_load_no_http_library():
    """Looking up a provider needs no network, so it does not import what makes one."""
    code = "import sys, compatapi.providers; print(*{'requests', 'urllib3', 'http.client'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "" == done.stdout.strip()


# --- documentation --------------------------------------------------------------------------------------------------


SCRIPT = runpy.run_path(str(DOCS / "make_providers_table.py"))


def test_the_tables_in_the_documentation_are_fresh():
    """docs/providers.md holds the tables of rows and dialects as they are; else run docs/make_providers_table.py."""
    page = (DOCS / "providers.md").read_text(encoding="utf-8")
    for name in SCRIPT["TABLES"]:
        assert 1 == page.count(SCRIPT["begin"](name)) == page.count(SCRIPT["end"](name))
    assert SCRIPT["with_tables"](page) == page


@pytest.mark.parametrize(
    "line",
    [
        "| `mistral`, `mistralai` | Mistral AI | openai | `https://api.mistral.ai/v1` | `MISTRAL_API_KEY` | yes | yes |"
        " `max_completion_tokens` is sent as `max_tokens`; `seed` is sent as `random_seed`;"
        " role `developer` is sent as `system`; reasoning goes back as `content` |",
        "| `minimax-cn` | MiniMax, China | openai | `https://api.minimaxi.com/v1` | `MINIMAX_API_KEY` | yes | yes |"
        " `max_tokens` is sent as `max_completion_tokens`; role `developer` is sent as `system`; no word for thinking;"
        " `<think>` is told apart; errors come with status 200 |",
        "| `deepseek-anthropic` | DeepSeek, Anthropic form | anthropic | `https://api.deepseek.com/anthropic` |"
        " `DEEPSEEK_API_KEY` | - | - | nothing |",
    ],
)
def test_the_table_says_how_a_host_differs(line):
    """A line of the table holds the names, the dialect, the base URL, the variables and the differences in words."""
    assert line in SCRIPT["rows"]().splitlines()


def test_every_field_of_a_request_is_in_the_table():
    """No field is forgotten when the dialects are asked what they can say."""
    asked = {name for fields, _ in SCRIPT["FIELDS"].values() for name in fields}
    assert {*wire_names(ChatCompletionRequest)} - {"model", "messages", "stream"} == asked


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_dialect_loses_a_field(dialect):
    """Every field changes what is sent or is refused; only usage, which comes unasked elsewhere, is left out."""
    lost = {name for name in SCRIPT["FIELDS"] if SCRIPT["verdict"](dialect, name) is None}
    assert lost <= {"stream_options"}
    lost = {name for name in SCRIPT["PARTS"] if SCRIPT["part_verdict"](dialect, name) is None}
    assert lost <= {"reasoning of another host"}
