"""The hosts that compatapi knows by name: one row of data each, and nothing else.

A row says where a host is, which environment variables hold its key and its address, and what it does otherwise than
others of its dialect. A host that speaks an existing dialect needs a row here and no code; one without a row is reached
by ``Client(base_url=...)`` or by a `Provider` of one's own. Nothing is read from the environment here: a client does
that when it is made.

Rules for the values. ``include_usage`` is true where the host documents the option and counts tokens in a stream only
when asked; it stays false where the host sends usage anyway, or where the option is refused or unknown. ``max_tokens``
is set where the host documents only one of the two names, or calls the other outdated. A path is ``None`` only where
the host has no such thing, or has it in a form that would be misread; elsewhere its own answer tells more than ours.
Sections are those of "OpenAI-compatible servers" in the documentation.
"""

from __future__ import annotations

from difflib import get_close_matches

from compatapi.dialects.base import Provider
from compatapi.errors import ConfigError
from compatapi.http_types import Quirks

__all__ = ["ALIASES", "PROVIDERS", "Provider", "get_provider"]

# Section 5: few hosts know the role "developer"; these are the quirks of those that do not.
_PLAIN = Quirks(developer_role=False)
_ASKED = Quirks(developer_role=False, include_usage=True)
_OLD_NAME = Quirks(developer_role=False, max_tokens="max_tokens")
_NEW_NAME = Quirks(developer_role=False, max_tokens="max_completion_tokens")
_OLD_NAME_ASKED = Quirks(developer_role=False, max_tokens="max_tokens", include_usage=True)


def _cloud(name: str, base_url: str, title: str, *key_env: str, quirks: Quirks) -> Provider:
    """A row of a host that answers nobody without a key."""
    return Provider(name, base_url, title=title, key_env=key_env, key_required=True, quirks=quirks)


_OPENAI = (
    Provider(
        "openai",
        "https://api.openai.com/v1",
        title="OpenAI",
        key_env=("OPENAI_API_KEY",),
        key_required=True,
        base_url_env=("OPENAI_BASE_URL",),
        header_env={"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"},
        quirks=Quirks(include_usage=True),
    ),
    Provider(
        "azure",
        title="Azure OpenAI (v1)",
        key_env=("AZURE_OPENAI_API_KEY",),
        key_required=True,
        base_url_env=("AZURE_OPENAI_ENDPOINT",),
        quirks=Quirks(auth="api-key", include_usage=True, root="/openai/v1"),
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
    _cloud("openrouter", "https://openrouter.ai/api/v1", "OpenRouter", "OPENROUTER_API_KEY", quirks=_ASKED),
    _cloud("groq", "https://api.groq.com/openai/v1", "Groq", "GROQ_API_KEY", quirks=Quirks(include_usage=True)),
    _cloud("together", "https://api.together.xyz/v1", "Together AI", "TOGETHER_API_KEY", quirks=_OLD_NAME),
    _cloud("fireworks", "https://api.fireworks.ai/inference/v1", "Fireworks AI", "FIREWORKS_API_KEY", quirks=_PLAIN),
    _cloud(
        "mistral",
        "https://api.mistral.ai/v1",
        "Mistral AI",
        "MISTRAL_API_KEY",
        quirks=Quirks(developer_role=False, max_tokens="max_tokens", renames={"seed": "random_seed"}),
    ),
    _cloud(
        "deepseek",
        "https://api.deepseek.com",
        "DeepSeek",
        "DEEPSEEK_API_KEY",
        quirks=Quirks(developer_role=False, include_usage=True, max_tokens="max_tokens", embeddings_path=None),
    ),
    _cloud("xai", "https://api.x.ai/v1", "xAI", "XAI_API_KEY", quirks=Quirks(include_usage=True)),
    # Its embeddings (/v1/embeddings) are base64 of 8-bit integers, which would be misread as floats.
    _cloud(
        "perplexity",
        "https://api.perplexity.ai",
        "Perplexity",
        "PERPLEXITY_API_KEY",
        "PPLX_API_KEY",
        quirks=Quirks(developer_role=False, max_tokens="max_tokens", models_path="/v1/models", embeddings_path=None),
    ),
    _cloud(
        "cerebras",
        "https://api.cerebras.ai/v1",
        "Cerebras",
        "CEREBRAS_API_KEY",
        quirks=Quirks(developer_role=False, max_tokens="max_completion_tokens", embeddings_path=None),
    ),
    # Some of its endpoints refuse stream_options.
    _cloud("nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA NIM", "NVIDIA_API_KEY", quirks=_PLAIN),
    _cloud("huggingface", "https://router.huggingface.co/v1", "Hugging Face router", "HF_TOKEN", quirks=_ASKED),
    _cloud(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "Gemini (OpenAI form)",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        quirks=_ASKED,
    ),
    _cloud(
        "vercel",
        "https://ai-gateway.vercel.sh/v1",
        "Vercel AI Gateway",
        "AI_GATEWAY_API_KEY",
        "VERCEL_OIDC_TOKEN",
        quirks=_ASKED,
    ),
    _cloud("ollama-cloud", "https://ollama.com/v1", "Ollama cloud", "OLLAMA_API_KEY", quirks=_OLD_NAME_ASKED),
    Provider(
        "snowflake",
        title="Snowflake Cortex",
        key_env=("SNOWFLAKE_PAT", "SNOWFLAKE_TOKEN"),
        key_required=True,
        base_url_env=("SNOWFLAKE_ACCOUNT_URL",),
        quirks=Quirks(developer_role=False, include_usage=True, root="/api/v2/cortex/v1"),
    ),
)

# A company's host in China and its other one have keys of their own, so each is a row.
_CHINA = (
    _cloud("moonshot", "https://api.moonshot.ai/v1", "Moonshot AI (Kimi)", "MOONSHOT_API_KEY", quirks=_PLAIN),
    _cloud("moonshot-cn", "https://api.moonshot.cn/v1", "Moonshot AI (Kimi), China", "MOONSHOT_API_KEY", quirks=_PLAIN),
    _cloud(
        "volcengine",
        "https://ark.cn-beijing.volces.com/api/v3",
        "Volcengine Ark (Doubao)",
        "ARK_API_KEY",
        "VOLCENGINE_API_KEY",
        quirks=_ASKED,
    ),
    _cloud(
        "byteplus",
        "https://ark.ap-southeast.bytepluses.com/api/v3",
        "BytePlus ModelArk",
        "ARK_API_KEY",
        quirks=_ASKED,
    ),
    _cloud(
        "aliyun",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "Aliyun Model Studio (compatible mode)",
        "DASHSCOPE_API_KEY",
        quirks=_OLD_NAME_ASKED,
    ),
    _cloud(
        "aliyun-intl",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "Aliyun Model Studio (compatible mode), international",
        "DASHSCOPE_API_KEY",
        quirks=_OLD_NAME_ASKED,
    ),
    _cloud(
        "zhipu",
        "https://open.bigmodel.cn/api/paas/v4",
        "Zhipu BigModel (GLM)",
        "ZHIPUAI_API_KEY",
        "ZHIPU_API_KEY",
        quirks=_OLD_NAME,
    ),
    _cloud("zai", "https://api.z.ai/api/paas/v4", "Z.ai (GLM), international", "ZAI_API_KEY", quirks=_OLD_NAME),
    _cloud(
        "hunyuan",
        "https://api.hunyuan.cloud.tencent.com/v1",
        "Tencent Hunyuan (compatible)",
        "HUNYUAN_API_KEY",
        quirks=_PLAIN,
    ),
    _cloud("minimax", "https://api.minimax.io/v1", "MiniMax", "MINIMAX_API_KEY", quirks=_NEW_NAME),
    _cloud("minimax-cn", "https://api.minimaxi.com/v1", "MiniMax, China", "MINIMAX_API_KEY", quirks=_NEW_NAME),
    _cloud("stepfun", "https://api.stepfun.com/v1", "StepFun", "STEPFUN_API_KEY", "STEP_API_KEY", quirks=_OLD_NAME),
    _cloud("longcat", "https://api.longcat.chat/openai/v1", "LongCat", "LONGCAT_API_KEY", quirks=_OLD_NAME),
    _cloud(
        "xiaomi",
        "https://api.xiaomimimo.com/v1",
        "Xiaomi MiMo",
        "MIMO_API_KEY",
        "XIAOMI_API_KEY",
        quirks=Quirks(max_tokens="max_completion_tokens"),
    ),
)

# The variables are those in which the servers' own documents keep the key, for servers that were told to ask for one.
_LOCAL = (
    Provider("vllm", "http://localhost:8000/v1", title="vLLM", key_env=("VLLM_API_KEY",), quirks=_ASKED),
    Provider("sglang", "http://localhost:30000/v1", title="SGLang", quirks=_ASKED),
    Provider(
        "llamacpp",
        "http://localhost:8080/v1",
        title="llama.cpp server",
        key_env=("LLAMA_API_KEY",),
        quirks=_OLD_NAME_ASKED,
    ),
    Provider(
        "lmstudio",
        "http://localhost:1234/v1",
        title="LM Studio",
        key_env=("LM_API_TOKEN",),
        quirks=_OLD_NAME_ASKED,
    ),
    # OLLAMA_HOST is not read: it may be a bare host name or the address that the server listens on, and no URL.
    Provider("ollama", "http://localhost:11434/v1", title="Ollama (/v1)", quirks=_OLD_NAME_ASKED),
    Provider("tgi", "http://localhost:8080/v1", title="Text Generation Inference", quirks=_OLD_NAME_ASKED),
    Provider(
        "localai",
        "http://localhost:8080/v1",
        title="LocalAI",
        key_env=("LOCALAI_API_KEY",),
        quirks=_OLD_NAME_ASKED,
    ),
    Provider("xinference", "http://localhost:9997/v1", title="Xinference", quirks=_OLD_NAME_ASKED),
)


def _demo_url() -> str:
    from compatapi.testing import shared_demo_server

    return shared_demo_server().base_url


_DEMO = Provider("demo", _demo_url, title="Built-in demonstration", quirks=_ASKED)

_ROWS = (*_OPENAI, *_HOSTED, *_CHINA, *_LOCAL, _DEMO)

#: All rows by name.
PROVIDERS: dict[str, Provider] = {row.name: row for row in _ROWS}

#: Other names that people and other clients use for a row.
ALIASES: dict[str, str] = {
    "alibaba": "aliyun",
    "ark": "volcengine",
    "azure-openai": "azure",
    "bigmodel": "zhipu",
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
