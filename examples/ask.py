"""Ask: an agent that asks Bursar before it calls a model. Needs Python 3 only.

Set BURSAR_URL, LITELLM_URL and LITELLM_VIRTUAL_KEY, then run: python3 examples/ask.py
"""
import json, os, sys, urllib.error, urllib.request

def call(url, body=None):
    headers = {"Authorization": "Bearer " + os.environ["LITELLM_VIRTUAL_KEY"], "Content-Type": "application/json"}
    request = urllib.request.Request(url, body and json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request, timeout=60))

try:
    call(os.environ["BURSAR_URL"] + "/v1/budget")
except urllib.error.HTTPError as refusal:  # 402, 403 or 503: the body has the reason and the remedy
    sys.exit(json.load(refusal)["detail"])
except urllib.error.URLError:
    pass  # Bursar is unreachable: LiteLLM's own limit still applies

chat = {"model": "mock", "messages": [{"role": "user", "content": "hello"}]}
print(call(os.environ["LITELLM_URL"] + "/v1/chat/completions", chat)["choices"][0]["message"]["content"])
