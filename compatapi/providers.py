"""The hosts that compatapi knows by name: one row of data each, and nothing else.

A row says where a host is, which environment variables hold its key and its address, and what it does otherwise than
others of its dialect. A host that speaks an existing dialect needs a row here and no code; one without a row is reached
by ``Client(base_url=...)`` or by a `Provider` of one's own. Nothing is read from the environment here: a client does
that when it is made.

Rules for the values. ``include_usage`` is true where the host documents the option and counts tokens in a stream only
when asked; it stays false where the host sends usage anyway, or where the option is refused or unknown. ``max_tokens``
is set where the host documents only one of the two names. A path is ``None`` only where the host documents that it has
no such thing; elsewhere its own answer tells more than ours could. Sections are those of "OpenAI-compatible servers"
in the documentation.
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
_OLD_NAME_ASKED = Quirks(developer_role=False, include_usage=True, max_tokens="max_tokens")

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
    Provider(
        "openrouter",
        "https://openrouter.ai/api/v1",
        title="OpenRouter",
        key_env=("OPENROUTER_API_KEY",),
        key_required=True,
        quirks=_ASKED,
    ),
    Provider(
        "groq",
        "https://api.groq.com/openai/v1",
        title="Groq",
        key_env=("GROQ_API_KEY",),
        key_required=True,
        quirks=Quirks(include_usage=True),
    ),
    Provider(
        "together",
        "https://api.together.xyz/v1",
        title="Together AI",
        key_env=("TOGETHER_API_KEY",),
        key_required=True,
        quirks=_OLD_NAME,
    ),
    Provider(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        title="Fireworks AI",
        key_env=("FIREWORKS_API_KEY",),
        key_required=True,
        quirks=_PLAIN,
    ),
    Provider(
        "mistral",
        "https://api.mistral.ai/v1",
        title="Mistral AI",
        key_env=("MISTRAL_API_KEY",),
        key_required=True,
        quirks=Quirks(developer_role=False, max_tokens="max_tokens", renames={"seed": "random_seed"}),
    ),
    Provider(
        "deepseek",
        "https://api.deepseek.com",
        title="DeepSeek",
        key_env=("DEEPSEEK_API_KEY",),
        key_required=True,
        quirks=Quirks(developer_role=False, include_usage=True, max_tokens="max_tokens", embeddings_path=None),
    ),
    Provider(
        "xai",
        "https://api.x.ai/v1",
        title="xAI",
        key_env=("XAI_API_KEY",),
        key_required=True,
        quirks=Quirks(include_usage=True),
    ),
    Provider(
        "perplexity",
        "https://api.perplexity.ai",
        title="Perplexity",
        key_env=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
        key_required=True,
        quirks=Quirks(
            developer_role=False,
            max_tokens="max_tokens",
            models_path="/v1/models",
            embeddings_path="/v1/embeddings",
        ),
    ),
    Provider(
        "cerebras",
        "https://api.cerebras.ai/v1",
        title="Cerebras",
        key_env=("CEREBRAS_API_KEY",),
        key_required=True,
        quirks=Quirks(developer_role=False, max_tokens="max_completion_tokens", embeddings_path=None),
    ),
    Provider(
        "nvidia",
        "https://integrate.api.nvidia.com/v1",
        title="NVIDIA NIM",
        key_env=("NVIDIA_API_KEY",),
        key_required=True,
        quirks=_PLAIN,
    ),
    Provider(
        "huggingface",
        "https://router.huggingface.co/v1",
        title="Hugging Face router",
        key_env=("HF_TOKEN",),
        key_required=True,
        quirks=_ASKED,
    ),
    Provider(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        title="Gemini (OpenAI form)",
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        key_required=True,
        quirks=_ASKED,
    ),
    Provider(
        "vercel",
        "https://ai-gateway.vercel.sh/v1",
        title="Vercel AI Gateway",
        key_env=("AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
        key_required=True,
        quirks=_ASKED,
    ),
    Provider(
        "ollama-cloud",
        "https://ollama.com/v1",
        title="Ollama cloud",
        key_env=("OLLAMA_API_KEY",),
        key_required=True,
        quirks=_OLD_NAME_ASKED,
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

# Keys of the Chinese and the international host of one company are not exchangeable, so each host has a row.
_CHINA = (
    Provider(
        "moonshot",
        "https://api.moonshot.ai/v1",
        title="Moonshot AI (Kimi)",
        key_env=("MOONSHOT_API_KEY",),
        key_required=True,
        quirks=_PLAIN,
    ),
    Provider(
        "moonshot-cn",
        "https://api.moonshot.cn/v1",
        title="Moonshot AI (Kimi), China",
        key_env=("MOONSHOT_API_KEY",),
        key_required=True,
        quirks=_PLAIN,
    ),
    Provider(
        "volcengine",
        "https://ark.cn-beijing.volces.com/api/v3",
        title="Volcengine Ark (Doubao)",
        key_env=("ARK_API_KEY", "VOLCENGINE_API_KEY"),
        key_required=True,
        quirks=_ASKED,
    ),
    Provider(
        "byteplus",
        "https://ark.ap-southeast.bytepluses.com/api/v3",
        title="BytePlus ModelArk",
        key_env=("ARK_API_KEY",),
        key_required=True,
        quirks=_ASKED,
    ),
    Provider(
        "aliyun",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        title="Aliyun Model Studio (compatible mode)",
        key_env=("DASHSCOPE_API_KEY",),
        key_required=True,
        quirks=_OLD_NAME_ASKED,
    ),
    Provider(
        "aliyun-intl",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        title="Aliyun Model Studio (compatible mode), international",
        key_env=("DASHSCOPE_API_KEY",),
        key_required=True,
        quirks=_OLD_NAME_ASKED,
    ),
    Provider(
        "zhipu",
        "https://open.bigmodel.cn/api/paas/v4",
        title="Zhipu BigModel (GLM)",
        key_env=("ZHIPUAI_API_KEY", "ZHIPU_API_KEY"),
        key_required=True,
        quirks=_OLD_NAME,
    ),
    Provider(
        "zai",
        "https://api.z.ai/api/paas/v4",
        title="Z.ai (GLM), international",
        key_env=("ZAI_API_KEY",),
        key_required=True,
        quirks=_OLD_NAME,
    ),
    Provider(
        "hunyuan",
        "https://api.hunyuan.cloud.tencent.com/v1",
        title="Tencent Hunyuan (compatible)",
        key_env=("HUNYUAN_API_KEY",),
        key_required=True,
        quirks=_PLAIN,
    ),
    Provider(
        "minimax",
        "https://api.minimax.io/v1",
        title="MiniMax",
        key_env=("MINIMAX_API_KEY",),
        key_required=True,
        quirks=_PLAIN,
    ),
    Provider(
        "minimax-cn",
        "https://api.minimaxi.com/v1",
        title="MiniMax, China",
        key_env=("MINIMAX_API_KEY",),
        key_required=True,
        quirks=_PLAIN,
    ),
    Provider(
        "stepfun",
        "https://api.stepfun.com/v1",
        title="StepFun",
        key_env=("STEPFUN_API_KEY", "STEP_API_KEY"),
        key_required=True,
        quirks=_OLD_NAME,
    ),
    Provider(
        "longcat",
        "https://api.longcat.chat/openai/v1",
        title="LongCat",
        key_env=("LONGCAT_API_KEY",),
        key_required=True,
        quirks=_OLD_NAME,
    ),
    Provider(
        "xiaomi",
        "https://api.xiaomimimo.com/v1",
        title="Xiaomi MiMo",
        key_env=("MIMO_API_KEY", "XIAOMI_API_KEY"),
        key_required=True,
        quirks=Quirks(max_tokens="max_completion_tokens"),
    ),
)

# The variables here are those that the servers themselves read for the key that they ask of their clients.
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
    Provider("lmstudio", "http://localhost:1234/v1", title="LM Studio", quirks=_OLD_NAME_ASKED),
    # OLLAMA_HOST is no URL: it may be a bare host name, a port, or the address that the server listens on.
    Provider("ollama", "http://localhost:11434/v1", title="Ollama (/v1)", quirks=_OLD_NAME_ASKED),
    Provider("tgi", "http://localhost:8080/v1", title="Text Generation Inference", quirks=_OLD_NAME_ASKED),
    Provider(
        "localai",
        "http://localhost:8080/v1",
        title="LocalAI",
        key_env=("LOCALAI_API_KEY",),
        quirks=_OLD_NAME,
    ),
    Provider("xinference", "http://localhost:9997/v1", title="Xinference", quirks=_OLD_NAME_ASKED),
)

_ROWS = (*_OPENAI, *_HOSTED, *_CHINA, *_LOCAL)

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
    "glm": "zhipu",
    "google": "gemini",
    "grok": "xai",
    "hf": "huggingface",
    "kimi": "moonshot",
    "llama-cpp": "llamacpp",
    "llama.cpp": "llamacpp",
    "lm-studio": "lmstudio",
    "mimo": "xiaomi",
    "mistralai": "mistral",
    "moonshotai": "moonshot",
    "nim": "nvidia",
    "pplx": "perplexity",
    "qwen": "aliyun",
    "together-ai": "together",
    "togetherai": "together",
    "x.ai": "xai",
    "z.ai": "zai",
    "zhipuai": "zhipu",
}

# Longer than any name of a row, shorter than any key: what is passed here by mistake must not show in an error.
_SHOWN = 24


def get_provider(name: str) -> Provider:
    """The row of that name or alias, in upper or lower case.

    Raises:
        ConfigError: There is no such row; the message names those that are spelled alike.
    """
    key = name.strip().lower()
    row = PROVIDERS.get(ALIASES.get(key, key))
    if row is not None:
        return row
    shown = f" {name!r}" if len(name) <= _SHOWN and not key.startswith("sk-") else " of that name"
    alike = get_close_matches(key, [*PROVIDERS, *ALIASES])
    hint = f"Did you mean {' or '.join(map(repr, alike))}? " if alike else ""
    raise ConfigError(f"There is no provider{shown}. {hint}For a server without a row use Client(base_url=...)")
