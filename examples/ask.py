"""Ask: an agent that asks Bursar before it calls a model. Python 3 and its standard library, nothing else."""
import json, os, sys, urllib.error, urllib.request

def call(url, body=None):
    headers = {"Authorization": "Bearer " + os.environ["LITELLM_VIRTUAL_KEY"], "Content-Type": "application/json"}
    request = urllib.request.Request(url, body and json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request, timeout=60))

try:
    call(os.environ["BURSAR_URL"] + "/v1/budget")
except urllib.error.HTTPError as refusal:  # 402, 403, 503: it says why, and what to do about it
    sys.exit(json.load(refusal)["detail"])
except urllib.error.URLError:
    pass  # Bursar cannot be reached: LiteLLM holds the same line

chat = {"model": "mock", "messages": [{"role": "user", "content": "hello"}]}
print(call(os.environ["LITELLM_URL"] + "/v1/chat/completions", chat)["choices"][0]["message"]["content"])
