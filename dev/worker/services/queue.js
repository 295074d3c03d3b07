// The producer side of a queue inside workerd: accepts every message, counts it and drops it. Delivers nothing.
// `PUT /_refuse` makes it refuse messages until `DELETE /_refuse`.

let refuses = false;
let messages = 0;
let sends = 0;

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/_counts") {
      const answer = Response.json({ messages, sends });
      if (request.method === "DELETE") messages = sends = 0;
      return answer;
    }
    if (pathname === "/_refuse") {
      refuses = request.method === "PUT";
      return Response.json({ refuses });
    }
    await request.arrayBuffer();
    if (refuses) return new Response("refused on purpose", { status: 500 });
    sends++;
    messages += pathname === "/batch" ? Number(request.headers.get("CF-Queue-Batch-Count") ?? 1) : 1;
    return Response.json({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } });
  },
};
