// Runs the Worker's cron trigger on request: `POST /?at=<ms>` with the time that the Worker takes for now.

export default {
  async fetch(request, { WORKER }) {
    const at = Number(new URL(request.url).searchParams.get("at") ?? Date.now());
    const { outcome } = await WORKER.scheduled({ cron: "* * * * *", scheduledTime: new Date(at) });
    return Response.json({ outcome }, { status: outcome === "ok" ? 200 : 500 });
  },
};
