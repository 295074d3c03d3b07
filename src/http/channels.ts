import { Hono } from "hono";
import type { AppEnv } from "./app-env.ts";

export const channelRoutes = new Hono<AppEnv>(); // not built yet
