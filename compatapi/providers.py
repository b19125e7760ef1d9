"""The hosts that compatapi knows by name: one row of data each, and nothing else.

A row says where a host is, which environment variables hold its key and its address, and what it does otherwise than
others of its dialect. A host that speaks an existing dialect needs a row here and no code; one without a row is reached
by ``Client(base_url=...)`` or by a `Provider` of one's own. Nothing is read from the environment here: a client does
that when it is made.

Rules for the values. ``include_usage`` is true where the host documents the option and counts tokens in a stream only
when asked; it stays false where the host sends usage anyway, or where the option is refused or unknown. ``max_tokens``
is set where the host documents only one of the two names, or calls the other outdated. A path is ``None`` only where
the host has no such thing, or has it in a form that would be misread; elsewhere its own answer tells more than ours.
``thinking`` stays where the host takes ``reasoning_effort``, or where nothing is known: a host's own refusal names the
field. ``reasoning_field`` is set where the host wants the reasoning of earlier turns under one name, or refuses it;
elsewhere it goes back as it came. ``think_tags`` is true where the host says that models of its write such tags.
Sections are those of "OpenAI-compatible servers" in the documentation.
"""

from __future__ import annotations

from difflib import get_close_matches

from attrs import evolve

from compatapi.dialects.base import Provider
from compatapi.errors import ConfigError
from compatapi.http_types import Quirks, ThinkingWords

__all__ = ["ALIASES", "PROVIDERS", "Provider", "get_provider"]

# Section 5: few hosts know the role "developer"; these are the quirks of those that do not.
_PLAIN = Quirks(developer_role=False)
_ASKED = Quirks(developer_role=False, include_usage=True)
_OLD_NAME = Quirks(developer_role=False, max_tokens="max_tokens")
_OLD_NAME_ASKED = Quirks(developer_role=False, max_tokens="max_tokens", include_usage=True)

# Section 6: the words for thinking.
_NO_WORDS = ThinkingWords(off=None, effort=())
_REASONING = ThinkingWords(
    off={"reasoning": {"enabled": False}}, effort=("reasoning", "effort"), budget=("reasoning", "max_tokens")
)
_TYPE = ThinkingWords(on={"thinking": {"type": "enabled"}}, off={"thinking": {"type": "disabled"}}, effort=())
_TYPE_AND_EFFORT = evolve(_TYPE, effort=("reasoning_effort",))
_ENABLE = ThinkingWords(on={"enable_thinking": True}, off={"enable_thinking": False}, effort=())
_ENABLE_AND_BUDGET = evolve(_ENABLE, budget=("thinking_budget",))
_TEMPLATE = ThinkingWords(
    on={"chat_template_kwargs": {"enable_thinking": True}}, off={"chat_template_kwargs": {"enable_thinking": False}}
)


def _cloud(name: str, base_url: str, title: str, *key_env: str, quirks: Quirks) -> Provider:
    """A row of a host that answers nobody without a key."""
    return Provider(name, base_url, title=title, key_env=key_env, key_required=True, quirks=quirks)


def _claude(name: str, base_url: str, title: str, *key_env: str, auth: str = "bearer") -> Provider:
    """A row of a host that speaks Anthropic's dialect beside OpenAI's."""
    return Provider(
        name,
        base_url,
        dialect="anthropic",
        title=f"{title}, Anthropic form",
        key_env=key_env,
        key_required=True,
        quirks=Quirks(auth=auth, models_path=None),
    )


def _hunyuan(name: str, base_url: str, title: str) -> Provider:
    """A row of Tencent Cloud API 3.0: the key has two parts, or three with a session token."""
    return Provider(
        name,
        base_url,
        dialect="hunyuan",
        title=title,
        key_parts_env=("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_SESSION_TOKEN"),
        key_required=True,
        header_env={"X-TC-Region": "TENCENTCLOUD_REGION"},
        quirks=Quirks(
            options={"service": "hunyuan", "action": "ChatCompletions", "version": "2023-09-01"},
            models_path=None,
            embeddings_path=None,
            errors_with_200=True,
        ),
    )


_OPENAI = (
    Provider(
        "openai",
        "https://api.openai.com/v1",
        title="OpenAI",
        key_env=("OPENAI_API_KEY",),
        key_required=True,
        base_url_env=("OPENAI_BASE_URL",),
        header_env={"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"},
        quirks=Quirks(include_usage=True, reasoning_field=None),
    ),
    Provider(
        "azure",
        title="Azure OpenAI (v1)",
        key_env=("AZURE_OPENAI_API_KEY",),
        key_required=True,
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        quirks=Quirks(auth="api-key", include_usage=True, reasoning_field=None, root="/openai/v1"),
    ),
    Provider(
        "azure-deployment",
        title="Azure OpenAI (deployments)",
        key_env=("AZURE_OPENAI_API_KEY",),
        key_required=True,
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        query_env={"api-version": "OPENAI_API_VERSION"},
        quirks=Quirks(
            auth="api-key",
            include_usage=True,
            reasoning_field=None,
            root="/openai",
            chat_path="/deployments/{model}/chat/completions",
            embeddings_path="/deployments/{model}/embeddings",
        ),
    ),
    # The endpoint of a resource ends in "/models", that of a serverless model does not: no root is put between.
    Provider(
        "azure-ai",
        title="Azure AI model inference",
        key_env=("AZURE_INFERENCE_CREDENTIAL", "AZURE_AI_API_KEY"),
        key_required=True,
        base_url_env=("AZURE_INFERENCE_ENDPOINT", "AZURE_AI_API_BASE"),
        quirks=Quirks(auth="api-key", models_path=None),
    ),
)

_HOSTED = (
    _cloud(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OpenRouter",
        "OPENROUTER_API_KEY",
        quirks=evolve(_ASKED, thinking=_REASONING, reasoning_field="reasoning_details"),
    ),
    _cloud(
        "groq",
        "https://api.groq.com/openai/v1",
        "Groq",
        "GROQ_API_KEY",
        quirks=Quirks(include_usage=True, reasoning_field="reasoning"),
    ),
    _cloud(
        "together",
        "https://api.together.xyz/v1",
        "Together AI",
        "TOGETHER_API_KEY",
        quirks=evolve(_OLD_NAME, reasoning_field="reasoning", think_tags=True),
    ),
    _cloud(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        "Fireworks AI",
        "FIREWORKS_API_KEY",
        quirks=evolve(_PLAIN, reasoning_field="reasoning_content"),
    ),
    _cloud(
        "mistral",
        "https://api.mistral.ai/v1",
        "Mistral AI",
        "MISTRAL_API_KEY",
        quirks=evolve(_OLD_NAME, renames={"seed": "random_seed"}, reasoning_field="content"),
    ),
    _cloud(
        "deepseek",
        "https://api.deepseek.com",
        "DeepSeek",
        "DEEPSEEK_API_KEY",
        quirks=evolve(
            _OLD_NAME_ASKED, thinking=_TYPE_AND_EFFORT, reasoning_field="reasoning_content", embeddings_path=None
        ),
    ),
    _cloud("xai", "https://api.x.ai/v1", "xAI", "XAI_API_KEY", quirks=Quirks(include_usage=True)),
    # Its embeddings (/v1/embeddings) are base64 of 8-bit integers, which would be misread as floats.
    _cloud(
        "perplexity",
        "https://api.perplexity.ai",
        "Perplexity",
        "PERPLEXITY_API_KEY",
        "PPLX_API_KEY",
        quirks=evolve(
            _OLD_NAME,
            thinking=ThinkingWords(off=None),
            think_tags=True,
            models_path="/v1/models",
            embeddings_path=None,
        ),
    ),
    # It refuses fields of messages that it does not know; reasoning is known to it by this name only.
    _cloud(
        "cerebras",
        "https://api.cerebras.ai/v1",
        "Cerebras",
        "CEREBRAS_API_KEY",
        quirks=evolve(_PLAIN, max_tokens="max_completion_tokens", reasoning_field="reasoning", embeddings_path=None),
    ),
    # Some of its endpoints refuse stream_options.
    _cloud("nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA NIM", "NVIDIA_API_KEY", quirks=_PLAIN),
    _cloud("huggingface", "https://router.huggingface.co/v1", "Hugging Face router", "HF_TOKEN", quirks=_ASKED),
    _cloud(
        "gemini-openai",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "Gemini (OpenAI form)",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        quirks=evolve(
            _ASKED,
            thinking=ThinkingWords(budget=("extra_body", "google", "thinking_config", "thinking_budget")),
        ),
    ),
    _cloud(
        "vercel",
        "https://ai-gateway.vercel.sh/v1",
        "Vercel AI Gateway",
        "AI_GATEWAY_API_KEY",
        "VERCEL_OIDC_TOKEN",
        quirks=evolve(_ASKED, thinking=_REASONING, reasoning_field="reasoning_details"),
    ),
    _cloud(
        "ollama-cloud-v1",
        "https://ollama.com/v1",
        "Ollama cloud (/v1)",
        "OLLAMA_API_KEY",
        quirks=evolve(_OLD_NAME_ASKED, reasoning_field="reasoning"),
    ),
    Provider(
        "snowflake",
        title="Snowflake Cortex",
        key_env=("SNOWFLAKE_PAT", "SNOWFLAKE_TOKEN"),
        key_required=True,
        base_url_env=("SNOWFLAKE_ACCOUNT_URL",),
        quirks=Quirks(developer_role=False, include_usage=True, root="/api/v2/cortex/v1"),
    ),
)

_TYPED = evolve(_PLAIN, thinking=_TYPE, reasoning_field="reasoning_content")
_ARK = evolve(_ASKED, thinking=_TYPE_AND_EFFORT, reasoning_field="reasoning_content")
_ALIYUN = evolve(_OLD_NAME_ASKED, thinking=_ENABLE_AND_BUDGET, reasoning_field="reasoning_content")
# GLM-Z1 writes tags.
_GLM = evolve(_OLD_NAME, thinking=_TYPE, reasoning_field="reasoning_content", think_tags=True)
_MINIMAX = evolve(_PLAIN, max_tokens="max_completion_tokens", thinking=_NO_WORDS, think_tags=True, errors_with_200=True)

# A company's host in China and its other one have keys of their own, so each is a row.
_CHINA = (
    _cloud("moonshot", "https://api.moonshot.ai/v1", "Moonshot AI (Kimi)", "MOONSHOT_API_KEY", quirks=_TYPED),
    _cloud("moonshot-cn", "https://api.moonshot.cn/v1", "Moonshot AI (Kimi), China", "MOONSHOT_API_KEY", quirks=_TYPED),
    _cloud(
        "volcengine",
        "https://ark.cn-beijing.volces.com/api/v3",
        "Volcengine Ark (Doubao)",
        "ARK_API_KEY",
        "VOLCENGINE_API_KEY",
        quirks=_ARK,
    ),
    _cloud(
        "byteplus",
        "https://ark.ap-southeast.bytepluses.com/api/v3",
        "BytePlus ModelArk",
        "ARK_API_KEY",
        quirks=_ARK,
    ),
    _cloud(
        "aliyun",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "Aliyun Model Studio (compatible mode)",
        "DASHSCOPE_API_KEY",
        quirks=_ALIYUN,
    ),
    _cloud(
        "aliyun-intl",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "Aliyun Model Studio (compatible mode), international",
        "DASHSCOPE_API_KEY",
        quirks=_ALIYUN,
    ),
    _cloud(
        "zhipu",
        "https://open.bigmodel.cn/api/paas/v4",
        "Zhipu BigModel (GLM)",
        "ZHIPUAI_API_KEY",
        "ZHIPU_API_KEY",
        quirks=_GLM,
    ),
    _cloud("zai", "https://api.z.ai/api/paas/v4", "Z.ai (GLM), international", "ZAI_API_KEY", quirks=_GLM),
    _cloud(
        "hunyuan-openai",
        "https://api.hunyuan.cloud.tencent.com/v1",
        "Tencent Hunyuan (OpenAI form)",
        "HUNYUAN_API_KEY",
        quirks=evolve(_PLAIN, thinking=_ENABLE, reasoning_field=None),
    ),
    _cloud("minimax", "https://api.minimax.io/v1", "MiniMax", "MINIMAX_API_KEY", quirks=_MINIMAX),
    _cloud("minimax-cn", "https://api.minimaxi.com/v1", "MiniMax, China", "MINIMAX_API_KEY", quirks=_MINIMAX),
    _cloud("stepfun", "https://api.stepfun.com/v1", "StepFun", "STEPFUN_API_KEY", "STEP_API_KEY", quirks=_OLD_NAME),
    _cloud(
        "longcat",
        "https://api.longcat.chat/openai/v1",
        "LongCat",
        "LONGCAT_API_KEY",
        quirks=evolve(_OLD_NAME, thinking=_ENABLE_AND_BUDGET),
    ),
    _cloud(
        "xiaomi",
        "https://api.xiaomimimo.com/v1",
        "Xiaomi MiMo",
        "MIMO_API_KEY",
        "XIAOMI_API_KEY",
        quirks=Quirks(max_tokens="max_completion_tokens", thinking=_TYPE, reasoning_field="reasoning_content"),
    ),
)

_SWITCHED = evolve(_ASKED, thinking=_TEMPLATE)

# The variables are those in which the servers' own documents keep the key, for servers that were told to ask for one.
_LOCAL = (
    Provider("vllm", "http://localhost:8000/v1", title="vLLM", key_env=("VLLM_API_KEY",), quirks=_SWITCHED),
    Provider("sglang", "http://localhost:30000/v1", title="SGLang", quirks=_SWITCHED),
    Provider(
        "llamacpp",
        "http://localhost:8080/v1",
        title="llama.cpp server",
        key_env=("LLAMA_API_KEY",),
        quirks=evolve(_OLD_NAME_ASKED, thinking=_TEMPLATE),
    ),
    Provider(
        "lmstudio",
        "http://localhost:1234/v1",
        title="LM Studio",
        key_env=("LM_API_TOKEN",),
        quirks=evolve(_OLD_NAME_ASKED, reasoning_field="reasoning_content", think_tags=True),
    ),
    # OLLAMA_HOST is not read: it may be a bare host name or the address that the server listens on, and no URL.
    Provider(
        "ollama-v1",
        "http://localhost:11434/v1",
        title="Ollama (/v1)",
        quirks=evolve(_OLD_NAME_ASKED, reasoning_field="reasoning"),
    ),
    Provider(
        "tgi",
        "http://localhost:8080/v1",
        title="Text Generation Inference",
        quirks=evolve(_OLD_NAME_ASKED, thinking=_NO_WORDS),
    ),
    Provider(
        "localai",
        "http://localhost:8080/v1",
        title="LocalAI",
        key_env=("LOCALAI_API_KEY",),
        quirks=_OLD_NAME_ASKED,
    ),
    Provider(
        "xinference",
        "http://localhost:9997/v1",
        title="Xinference",
        quirks=evolve(_OLD_NAME_ASKED, thinking=_TEMPLATE),
    ),
)

_NATIVE = (
    Provider(
        "anthropic",
        "https://api.anthropic.com",
        dialect="anthropic",
        title="Anthropic",
        key_env=("ANTHROPIC_API_KEY",),
        key_required=True,
        base_url_env=("ANTHROPIC_BASE_URL",),
    ),
    # LongCat's documents say Bearer, DeepSeek's x-api-key, Xiaomi's either; that the others take a bearer token, as
    # their pages on coding tools show it, is general knowledge.
    _claude("longcat-anthropic", "https://api.longcat.chat/anthropic", "LongCat", "LONGCAT_API_KEY"),
    _claude("deepseek-anthropic", "https://api.deepseek.com/anthropic", "DeepSeek", "DEEPSEEK_API_KEY", auth=""),
    _claude("moonshot-anthropic", "https://api.moonshot.ai/anthropic", "Moonshot AI (Kimi)", "MOONSHOT_API_KEY"),
    _claude("zai-anthropic", "https://api.z.ai/api/anthropic", "Z.ai (GLM)", "ZAI_API_KEY"),
    _claude(
        "zhipu-anthropic",
        "https://open.bigmodel.cn/api/anthropic",
        "Zhipu BigModel (GLM)",
        "ZHIPUAI_API_KEY",
        "ZHIPU_API_KEY",
    ),
    _claude("minimax-anthropic", "https://api.minimax.io/anthropic", "MiniMax", "MINIMAX_API_KEY"),
    _claude(
        "xiaomi-anthropic", "https://api.xiaomimimo.com/anthropic", "Xiaomi MiMo", "MIMO_API_KEY", "XIAOMI_API_KEY"
    ),
    Provider(
        "gemini",
        "https://generativelanguage.googleapis.com",
        dialect="gemini",
        title="Google Gemini",
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        key_required=True,
    ),
    # The base URL is "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}/publishers/
    # google", which has the version in it: no root is put behind it. The key is an access token of Google Cloud.
    Provider(
        "vertex",
        dialect="gemini",
        title="Google Vertex AI (Gemini)",
        key_env=("GOOGLE_OAUTH_ACCESS_TOKEN",),
        key_required=True,
        base_url_env=("GOOGLE_VERTEX_BASE_URL",),
        quirks=Quirks(auth="bearer", root="/v1", models_path=None, embeddings_path=None),
    ),
    Provider("ollama", "http://localhost:11434", dialect="ollama", title="Ollama"),
    Provider(
        "ollama-cloud",
        "https://ollama.com",
        dialect="ollama",
        title="Ollama cloud",
        key_env=("OLLAMA_API_KEY",),
        key_required=True,
    ),
    _hunyuan("hunyuan", "https://hunyuan.tencentcloudapi.com", "Tencent Hunyuan"),
    _hunyuan("hunyuan-intl", "https://hunyuan.ai.intl.tencentcloudapi.com", "Tencent Hunyuan, international"),
    Provider(
        "dashscope",
        "https://dashscope.aliyuncs.com/api/v1",
        dialect="dashscope",
        title="Aliyun DashScope",
        key_env=("DASHSCOPE_API_KEY",),
        key_required=True,
    ),
    Provider(
        "dashscope-intl",
        "https://dashscope-intl.aliyuncs.com/api/v1",
        dialect="dashscope",
        title="Aliyun DashScope, international",
        key_env=("DASHSCOPE_API_KEY",),
        key_required=True,
    ),
)


def _demo_url() -> str:
    from compatapi.testing import shared_demo_server

    return shared_demo_server().base_url


_DEMO = Provider("demo", _demo_url, title="Built-in demonstration", quirks=_ASKED)

_ROWS = (*_OPENAI, *_NATIVE, *_HOSTED, *_CHINA, *_LOCAL, _DEMO)

#: All rows by name.
PROVIDERS: dict[str, Provider] = {row.name: row for row in _ROWS}

#: Other names that people and other clients use for a row.
ALIASES: dict[str, str] = {
    "alibaba": "aliyun",
    "ark": "volcengine",
    "azure-openai": "azure",
    "bigmodel": "zhipu",
    "claude": "anthropic",
    "dashscope-compatible": "aliyun",
    "doubao": "volcengine",
    "fireworks-ai": "fireworks",
    "google": "gemini",
    "grok": "xai",
    "hf": "huggingface",
    "kimi": "moonshot",
    "llama.cpp": "llamacpp",
    "lm-studio": "lmstudio",
    "mimo": "xiaomi",
    "mistralai": "mistral",
    "moonshotai": "moonshot",
    "pplx": "perplexity",
    "tencent": "hunyuan",
    "together-ai": "together",
    "x.ai": "xai",
    "z.ai": "zai",
    "zhipuai": "zhipu",
}

# No name of a row is longer, and nearly every key is: a key passed here by mistake must not show in an error.
_LONGEST_SHOWN = 24


def get_provider(name: str) -> Provider:
    """The row of that name or alias; upper and lower case are the same.

    Raises:
        ConfigError: There is no such row. The message names those that are spelled alike.
    """
    key = name.strip().lower()
    row = PROVIDERS.get(ALIASES.get(key, key))
    if row is not None:
        return row
    shown = repr(name) if len(name) <= _LONGEST_SHOWN and not key.startswith("sk-") else "of that name"
    alike = get_close_matches(key, [*PROVIDERS, *ALIASES])
    alike = [other for other in alike if ALIASES.get(other) not in alike]
    hint = f" Did you mean {' or '.join(map(repr, alike))}?" if alike else ""
    raise ConfigError(f"There is no provider {shown}.{hint} For a server without a row use Client(base_url=...)")
