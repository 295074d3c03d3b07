"""Makes one call with OpenAI's or Anthropic's SDK, and prints what the SDK shows: an answer, or an error, as JSON.

Usage: python sdk_call.py openai|anthropic whole|streamed BASE_URL KEY
"""

import json
import sys

import anthropic
import openai

SAID = [{"role": "user", "content": "hi"}]
CALL = {"model": "chat", "max_tokens": 20, "messages": SAID}


def with_openai(base_url: str, key: str, streamed: bool) -> str:
    client = openai.OpenAI(base_url=f"{base_url}/v1", api_key=key)
    if not streamed:
        return client.chat.completions.create(**CALL).choices[0].message.content or ""
    chunks = client.chat.completions.create(**CALL, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def with_anthropic(base_url: str, key: str, streamed: bool) -> str:
    client = anthropic.Anthropic(base_url=base_url, api_key=key)
    if not streamed:
        return client.messages.create(**CALL).content[0].text
    with client.messages.stream(**CALL) as stream:
        return "".join(stream.text_stream)


def main() -> None:
    sdk, how, base_url, key = sys.argv[1:]
    call = {"openai": with_openai, "anthropic": with_anthropic}[sdk]
    try:
        print(json.dumps({"answer": call(base_url, key, how == "streamed")}))
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        print(json.dumps({"error": type(error).__name__, "status": error.status_code, "shown": str(error)}))


main()
