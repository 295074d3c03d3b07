import { Hono } from "hono";
import type { AppEnv } from "./app-env.ts";

export const eventRoutes = new Hono<AppEnv>(); // not built yet
